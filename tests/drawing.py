"""What tests read off a plot. Without matplotlib, tests that import this are skipped."""

import itertools

import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


def texts(labels):
    return [label.get_text() for label in labels]


def drawn_apart(axes):
    """Whether all axes of a figure, with their texts, lie inside of it and apart."""
    figure = axes.figure.get_figure(root=True)
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.get_axes()]
    width, height = figure.bbox.size
    inside = all(
        b.x0 >= -1 and b.y0 >= -1 and b.x1 <= width + 1 and b.y1 <= height + 1 for b in boxes
    )
    return inside and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
