"""What the plots share: axes, colours, labels of axes."""

from __future__ import annotations

from sk_autoencoder._utils.packages import installed_by

COLORS = {"PCA": "tab:gray", "imputed PCA": "tab:gray", "autoencoder": "tab:blue"}

MEASURES = {
    "error": "mean squared error",
    "explained_variance": "explained variance",
    "fit_time": "fit time [s]",
    "transform_time": "transform time [s]",
}

MAX_TICKS = 8


def check_matplotlib(caller: str) -> None:
    """Say what to install where matplotlib is missing."""
    remedy = f"{caller} needs matplotlib, which is not installed. Run: pip install matplotlib"
    with installed_by(remedy):
        import matplotlib  # noqa: F401 (only to see whether it is there)


def new_axes(ax, caller: str):
    """Return the axes passed, or those of a new figure."""
    check_matplotlib(caller)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def label_sizes(ax, sizes, measure: str) -> None:
    """Label a measure against sizes of a code, which tend to be powers of two."""
    ax.set_xscale("log", base=2)
    sizes = sorted(set(sizes))
    if len(sizes) <= MAX_TICKS:
        ax.set_xticks(sizes)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.set_xlabel("number of components")
    ax.set_ylabel(MEASURES[measure])
    if hasattr(of_values := ax.yaxis.get_major_formatter(), "set_useOffset"):
        of_values.set_useOffset(False)  # shares near 1 would be told as differences from it
    if measure == "error":
        start_at_zero(ax)


def start_at_zero(ax) -> None:
    """Let the vertical axis start at zero, and go on fitting what shared axes add."""
    for line in ax.get_lines():
        line.sticky_edges.y.append(0)
    ax.update_datalim([(0, 0)], updatex=False)
    ax.autoscale_view(scalex=False)


def tidy(ax) -> None:
    """Leave the two spines that carry ticks, and a legend that is legible on a line."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(edgecolor="none", framealpha=0.8)
