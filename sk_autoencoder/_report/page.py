"""The page of a report: one file that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from sk_autoencoder._report import figures
from sk_autoencoder._report.measures import Measures, OddRow
from sk_autoencoder._report.verdict import verdict

STYLE = """
:root { color-scheme: light dark; --line: rgba(128, 128, 128, .35); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
.verdict { font-size: 1.25rem; border-left: .3rem solid #1f77b4; padding-left: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: .4rem; }
.note { color: #808080; }
"""
CONFIG = {"displayModeBar": False, "responsive": True}


@dataclass(frozen=True)
class Words:
    """What the page tells besides its figures.

    Parameters
    ----------
    title : str
    heading : str
        Of what rows, and how many.
    notes : tuple of str
        On how the data were read.
    code : str
        Lines of Python that repeat the comparison.
    machine : str
        What it was computed with.
    """

    title: str
    heading: str
    notes: tuple[str, ...]
    code: str
    machine: str


def page(measures: Measures, words: Words, image_shape: tuple[int, int] | None = None) -> str:
    """Return a report as HTML, with the script of plotly inside."""
    largest = max(measures.sizes)
    by_feature = (
        figures.features(measures) if image_shape is None else figures.pixels(measures, image_shape)
    )
    sections = [
        _section("How much comes back", _figure(figures.curve(measures), "curve")),
        _section(
            f"What each {'feature' if image_shape is None else 'pixel'} gains and loses",
            _paragraph(
                f"Explained variance with {largest} components, of the features where most is "
                "gained or lost."
                if image_shape is None
                else f"PCA's squared error less the autoencoder's with {largest} components, over "
                "the mean variance of a pixel."
            ),
            _figure(by_feature, "features"),
        ),
        _section(
            "Codes in the plane",
            _paragraph("Held-out rows, coloured by the column that is chosen."),
            _figure(figures.planes(measures), "planes"),
        ),
        _section(
            "The oddest rows",
            *_odd(measures, image_shape),
        ),
        _section("Times", _times(measures)),
        _section("Once more in Python", f"<pre><code>{escape(words.code)}</code></pre>"),
    ]
    notes = "".join(_paragraph(note) for note in (words.heading, *words.notes))
    told = " ".join(escape(sentence) for sentence in verdict(measures))
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(words.title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body>"
        f'<h1>{escape(words.title)}</h1><p class="verdict">{told}</p>{notes}'
        f"{''.join(sections)}{_paragraph(words.machine)}</body></html>\n"
    )


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _paragraph(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _figure(figure: go.Figure, name: str) -> str:
    """Return a figure whose script comes with the page."""
    return figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)


def _odd(measures: Measures, image_shape: tuple[int, int] | None) -> tuple[str, ...]:
    """Return the rows that come back worst: as images, or with the cells that are to blame."""
    if image_shape is None:
        told = "Held-out rows that the autoencoder reconstructs worst, and the cells to blame."
        return _paragraph(told), _odd_rows(measures.odd_rows)
    told = (
        "Held-out images that the autoencoder reconstructs worst, with their rows and how many "
        "times the usual error they have, over their reconstructions."
    )
    return _paragraph(told), _figure(figures.odd_images(measures, image_shape), "odd")


def _odd_rows(rows: list[OddRow]) -> str:
    lines = [
        f'<tr><td>{escape(row.name)}</td><td>{row.error:.1f}</td><td class="text">'
        + "; ".join(
            f"{escape(reason.feature)} is {reason.value:.4g}, expected {reason.expected:.4g} "
            f"({reason.share:.0%})"
            for reason in row.reasons
        )
        + "</td></tr>"
        for row in rows
    ]
    head = '<th>row</th><th>times the usual error</th><th class="text">why</th>'
    return _table(head, lines)


def _times(measures: Measures) -> str:
    lines = [
        f"<tr><td>{r.n_components}</td><td>{escape(r.method)}</td><td>{r.error:#.4g}</td>"
        f"<td>{r.explained_variance:.4f}</td><td>{r.fit_time:.3f} s</td>"
        f"<td>{r.transform_time * 1e3:.2f} ms</td></tr>"
        for r in measures.comparison.results
    ]
    names = (
        "components",
        "method",
        "error",
        "explained variance",
        "fit",
        f"transform of {len(measures.rows)} rows",
    )
    return _table("".join(f"<th>{name}</th>" for name in names), lines)


def _table(head: str, lines: list[str]) -> str:
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
