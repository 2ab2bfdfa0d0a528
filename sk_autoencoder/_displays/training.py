"""The course of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_autoencoder._displays.axes import (
    COLORS,
    check_matplotlib,
    new_axes,
    start_at_zero,
    tidy,
)
from sk_autoencoder._sklearn_compat import StrOptions, validate_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = {
    "train": ("train_loss", "training rows", "tab:blue"),
    "valid": ("valid_loss", "validation rows", "tab:orange"),
}


class TrainingCurveDisplay:
    """Losses of a training against the epoch, with what it is held against and the epoch kept.

    Use :meth:`from_estimator` to make one from a fitted estimator.

    Parameters
    ----------
    history : pandas.DataFrame
        A row an epoch: "epoch", "train_loss" and, where rows were set aside, "valid_loss".
        Row 0 is what these are held against, such as PCA.

    best_epoch : int, default=None
        The epoch whose weights were kept, to mark; None marks none.

    row_0 : str, default="PCA"
        What row 0 of `history` is, to label its losses.

    starts_at_row_0 : bool, default=True
        Whether the training started there, so that the curves do. False starts them after
        the first epoch.

    loss_name : str, default="mean squared error"
        What the losses are, to label their axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    lines_ : list of matplotlib Line2D
        The curves of the losses: of the training rows, of the validation rows.

    row_0_lines_ : list of matplotlib Line2D
        The losses of row 0, a level line for each of the curves.

    best_epoch_line_ : matplotlib Line2D or None
        The mark of the epoch that was kept.

    See Also
    --------
    AutoencoderTransformer : Has the losses as `history_`.
    sklearn.model_selection.LearningCurveDisplay : Scores against the number of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import AutoencoderTransformer, TrainingCurveDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, max_epochs=5, random_state=0)
    >>> display = TrainingCurveDisplay.from_estimator(autoencoder.fit(X))
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        history,
        *,
        best_epoch=None,
        row_0="PCA",
        starts_at_row_0=True,
        loss_name="mean squared error",
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.row_0 = row_0
        self.starts_at_row_0 = starts_at_row_0
        self.loss_name = loss_name

    @classmethod
    def from_estimator(cls, estimator, *, loss_type="both", yscale="linear", ax=None) -> Self:
        """Plot the training of a fitted estimator.

        The curves are held against PCA, or, with `variational`, against the network before
        its first step. Where penalties or `supervised_weight` count in the losses, PCA is
        without these.

        Parameters
        ----------
        estimator : AutoencoderTransformer or Pipeline
            Fitted transformer, or a pipeline whose last step it is.

        loss_type : {"both", "train", "valid"}, default="both"
            The losses to plot: of the training rows, of the validation rows, or of both.
            "both" plots the former alone where no rows were set aside.

        yscale : {"linear", "log"}, default="linear"
            Scale of the losses. A linear one starts at zero.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator is no `AutoencoderTransformer`.
        ValueError
            If `loss_type` is "valid" and no rows were set aside.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        from sk_autoencoder._base import BaseAutoencoder

        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        if not isinstance(estimator, BaseAutoencoder):
            raise TypeError(
                f"{type(estimator).__name__} has no history of a training. Pass a fitted "
                "AutoencoderTransformer, or a pipeline that ends in one."
            )
        check_is_fitted(estimator)
        history = estimator.history_
        told: dict[str, Any] = {str(name): value for name, value in history.attrs.items()}
        display = cls(history, best_epoch=estimator.best_epoch_, **told)
        return display.plot(loss_type, yscale=yscale, ax=ax)

    @validate_params(
        {
            "self": "no_validation",
            "loss_type": [StrOptions({"both", *LOSSES})],
            "yscale": [StrOptions({"linear", "log"})],
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def plot(self, loss_type="both", *, yscale="linear", ax=None) -> Self:
        """Plot the losses against the epoch.

        Parameters
        ----------
        loss_type : {"both", "train", "valid"}, default="both"
            The losses to plot: of the training rows, of the validation rows, or of both.
            "both" plots the former alone where no rows were set aside.

        yscale : {"linear", "log"}, default="linear"
            Scale of the losses. A linear one starts at zero.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, with `ax_`, `figure_`, `lines_`, `row_0_lines_` and
            `best_epoch_line_`.

        Raises
        ------
        ValueError
            If `loss_type` is "valid" and no rows were set aside.
        """
        kinds = _losses(self.history, loss_type)
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        drawn = self.history if self.starts_at_row_0 else self.history[1:]
        self.lines_, self.row_0_lines_ = [], []
        for column, rows, color in kinds:
            self.lines_ += ax.plot("epoch", column, data=drawn, color=color, label=rows)
            level = self.history[column].iloc[0]
            self.row_0_lines_.append(ax.axhline(level, color=color, linestyle="--"))
        # One entry in the legend for the lines of row 0, in the colour of neither.
        ax.plot([], [], color=COLORS["PCA"], linestyle="--", label=self.row_0)
        self.best_epoch_line_ = self._mark_best_epoch(ax)
        ax.set_yscale(yscale)
        if yscale == "linear":
            start_at_zero(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("epoch")
        ax.set_ylabel(self.loss_name)
        tidy(ax)
        return self

    def _mark_best_epoch(self, ax):
        """Draw a line at the epoch that was kept."""
        if self.best_epoch is None:
            return None
        is_row_0 = self.best_epoch == 0 and self.starts_at_row_0
        label = f"kept: epoch {self.best_epoch}{f', {self.row_0}' if is_row_0 else ''}"
        return ax.axvline(self.best_epoch, color="black", linestyle=":", label=label)


def _losses(history, loss_type: str) -> list[tuple[str, str, str]]:
    """Return column, name and colour of each loss to plot."""
    if "valid_loss" in history:
        return [LOSSES[kind] for kind in LOSSES if loss_type in (kind, "both")]
    if loss_type == "valid":
        raise ValueError(
            "loss_type='valid', but no rows were set aside for validation. Pass 'train', or fit "
            "with early_stopping=True."
        )
    return [LOSSES["train"]]
