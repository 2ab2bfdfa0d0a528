"""The figures of a report, interactive, by plotly."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sk_autoencoder._report.measures import Measures, shortened

BLUE, GRAY, RED = "#1f77b4", "#8a8a8a", "#d62728"
COLORS = {"PCA": GRAY, "imputed PCA": GRAY, "autoencoder": BLUE}
MAX_FEATURES, MAX_COLUMNS = 30, 40
LEAST_SHARE = -0.5  # shown of the variance
LONGEST_NAME = 28
# Legible on white and on black, as the page is in either.
LAYOUT = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": "#808080", "size": 13},
    "margin": {"l": 60, "r": 20, "t": 30, "b": 50},
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
}
GRID = "rgba(128,128,128,0.25)"


def curve(measures: Measures) -> go.Figure:
    """Return explained variance against the number of components."""
    figure = go.Figure()
    pca, ours = measures.pca_curve, measures.table.query(f"method == '{measures.name}'")
    for name, points in ((measures.pca_name, pca), (measures.name, ours)):
        figure.add_scatter(
            x=points["n_components"].tolist(),
            y=points["explained_variance"].tolist(),
            mode="lines+markers",
            name=name,
            line={"color": COLORS[name], "width": 2},
            hovertemplate="%{x} components: %{y:.4f}",
        )
    figure.update_layout(**LAYOUT, height=380)
    sizes = pca["n_components"].tolist()
    ticks = [size for size in (2**i for i in range(20)) if size <= max(sizes)]
    figure.update_xaxes(
        title="number of components", type="log", tickvals=ticks, gridcolor=GRID, zeroline=False
    )
    figure.update_yaxes(title="explained variance", gridcolor=GRID, zeroline=False)
    return figure


def features(measures: Measures) -> go.Figure:
    """Return what each method explains of the features that gain or lose most."""
    found = measures.feature_shares.dropna()
    order = found["gain"].abs().sort_values(ascending=False).index[:MAX_FEATURES]
    shown = found.loc[order].sort_values("gain")
    names = [_short(name) for name in shown["feature"]]
    figure = go.Figure()
    for name in (measures.pca_name, measures.name):
        figure.add_scatter(
            x=shown[name].tolist(),
            y=list(range(len(shown))),
            mode="markers",
            name=name,
            marker={"color": COLORS[name], "size": 9},
            customdata=names,
            hovertemplate="%{customdata}: %{x:.3f}",
        )
    lines = zip(shown[measures.pca_name], shown[measures.name], strict=True)
    figure.update_layout(**LAYOUT, height=110 + 22 * len(shown), shapes=_between(lines))
    least = shown[[measures.pca_name, measures.name]].to_numpy().min(initial=1.0)
    figure.update_xaxes(
        title="explained variance of the feature",
        range=[max(LEAST_SHARE, least) - 0.02, 1.02],
        gridcolor=GRID,
        zeroline=False,
    )
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=names,
        automargin=True,
        showgrid=False,
        zeroline=False,
    )
    return figure


def _between(pairs: Iterable[tuple[float, float]]) -> list[dict]:
    """Return lines from PCA's point to ours, one a feature, red where it loses."""
    return [
        {"type": "line", "x0": a, "x1": b, "y0": i, "y1": i, "layer": "below", "opacity": 0.6}
        | {"line": {"color": BLUE if b >= a else RED, "width": 2}}
        for i, (a, b) in enumerate(pairs)
    ]


def pixels(measures: Measures, shape: tuple[int, int]) -> go.Figure:
    """Return what the autoencoder saves of PCA's error at each pixel."""
    gain = measures.feature_shares["gain"].to_numpy().reshape(shape)
    most = float(np.nanmax(np.abs(gain))) if np.isfinite(gain).any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=_plain(gain),
            colorscale="RdBu",
            zmin=-most,
            zmax=most,
            hovertemplate="row %{y}, column %{x}: %{z:.3f}<extra></extra>",
        )
    )
    figure.update_layout(**LAYOUT, height=420)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", showgrid=False, zeroline=False)
    figure.update_xaxes(showgrid=False, zeroline=False, constrain="domain")
    return figure


def odd_images(measures: Measures, shape: tuple[int, int]) -> go.Figure:
    """Return the images that come back worst, over their reconstructions."""
    odd = measures.odd_rows
    titles = [f"{escape(row.name)}<br>{row.error:.1f}" for row in odd]
    figure = make_subplots(
        2, len(odd), subplot_titles=titles, horizontal_spacing=0.004, vertical_spacing=0.02
    )
    for line, images in enumerate(measures.rows_and_reconstructions, start=1):
        for column, row in enumerate(odd, start=1):
            image = _plain(images[row.place].reshape(shape))
            figure.add_heatmap(
                z=image, colorscale="Greys", showscale=False, hoverinfo="z", row=line, col=column
            )
    figure.update_layout(**(LAYOUT | {"margin": {"l": 5, "r": 5, "t": 55, "b": 5}}), height=290)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    for i in range(1, 2 * len(odd) + 1):
        figure.update_yaxes(
            scaleanchor=f"x{i if i > 1 else ''}",
            selector={"anchor": f"x{i if i > 1 else ''}"},
        )
    return figure


def planes(measures: Measures) -> go.Figure:
    """Return codes in the plane of either method, coloured by a column that can be chosen."""
    columns = _columns_to_choose(measures)
    rows = measures.rows_and_reconstructions[0][measures.drawn]
    drawn = [measures.row_name(i) for i in measures.drawn]
    methods = (measures.pca_name, measures.name)
    figure = make_subplots(1, 2, subplot_titles=methods, horizontal_spacing=0.08)
    for place, method in enumerate(methods, start=1):
        x, y = measures.plane(method).T
        figure.add_scatter(
            x=_plain(x),
            y=_plain(y),
            mode="markers",
            text=[escape(name) for name in drawn],
            marker={
                "color": _plain(rows[:, columns[0]]),
                "colorscale": "Viridis",
                "size": 5,
                "opacity": 0.8,
                "showscale": place == 2,
            },
            hovertemplate="row %{text}<extra></extra>",
            row=1,
            col=place,
        )
    buttons = [
        {
            "label": _short(measures.names[column]),
            "method": "restyle",
            "args": [{"marker.color": [_plain(rows[:, column])] * 2}],
        }
        for column in columns
    ]
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.22, "yanchor": "top"}
    figure.update_layout(**LAYOUT, height=460, showlegend=False)
    figure.update_layout(updatemenus=[menu | {"bgcolor": "rgba(128,128,128,0.15)"}], margin_t=100)
    figure.update_xaxes(showticklabels=False, gridcolor=GRID, zeroline=False)
    figure.update_yaxes(showticklabels=False, gridcolor=GRID, zeroline=False)
    return figure


def _columns_to_choose(measures: Measures) -> list[int]:
    """Return the columns that codes may be coloured by: those that vary most with the codes."""
    shares = measures.feature_shares[measures.name].fillna(-np.inf).to_numpy()
    return np.argsort(-shares, kind="stable")[:MAX_COLUMNS].tolist()


def _plain(values: np.ndarray) -> list[Any]:
    """Return an array as lists, with None for what is missing."""
    cells = np.asarray(values, dtype=object)
    cells[~np.isfinite(values)] = None
    return cells.tolist()


def _short(name: str) -> str:
    """Return a name that fits beside axes, of which nothing is read as a tag."""
    return escape(shortened(name, LONGEST_NAME))
