"""The course of a training."""

from __future__ import annotations

from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from sk_autoencoder._displays._axes import (
    COLORS,
    check_matplotlib,
    new_axes,
    start_at_zero,
    tidy,
)

LOSSES = {
    "train": ("train_loss", "training rows", "tab:blue"),
    "valid": ("valid_loss", "validation rows", "tab:orange"),
}


class TrainingCurveDisplay:
    """Losses of a training against the epoch, with those of PCA and the epoch that was kept.

    Use :meth:`from_estimator` to make one from a fitted estimator.

    Parameters
    ----------
    history : pandas.DataFrame
        A row an epoch: "epoch", "train_loss" and, where rows were set aside, "valid_loss".
        Row 0 is PCA, as in `history_` of an `AutoencoderTransformer`.

    best_epoch : int, default=None
        The epoch whose weights were kept, to mark; None marks none.

    starts_at_pca : bool, default=True
        Whether the training started at PCA, so that the curves start at its losses. False
        starts them after the first epoch.

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

    pca_lines_ : list of matplotlib Line2D
        The losses of PCA, a level line for each of the curves.

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

    def __init__(
        self, history, *, best_epoch=None, starts_at_pca=True, loss_name="mean squared error"
    ):
        self.history = history
        self.best_epoch = best_epoch
        self.starts_at_pca = starts_at_pca
        self.loss_name = loss_name

    @classmethod
    def from_estimator(cls, estimator, *, loss_type="both", yscale="linear", ax=None):
        """Plot the training of a fitted estimator.

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
        from sk_autoencoder._start import starts_at_pca
        from sk_autoencoder._transformer import AutoencoderTransformer

        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        if not isinstance(estimator, AutoencoderTransformer):
            raise TypeError(
                f"{type(estimator).__name__} has no history of a training. Pass a fitted "
                "AutoencoderTransformer, or a pipeline that ends in one."
            )
        check_is_fitted(estimator)
        display = cls(
            estimator.history_,
            best_epoch=estimator.best_epoch_,
            starts_at_pca=starts_at_pca(estimator),
            loss_name=_loss_name(getattr(estimator, "loss", "squared_error")),
        )
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
    def plot(self, loss_type="both", *, yscale="linear", ax=None):
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
            The display, with `ax_`, `figure_`, `lines_`, `pca_lines_` and
            `best_epoch_line_`.

        Raises
        ------
        ValueError
            If `loss_type` is "valid" and no rows were set aside.
        """
        kinds = _losses(self.history, loss_type)
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        drawn = self.history if self.starts_at_pca else self.history[1:]
        self.lines_, self.pca_lines_ = [], []
        for column, rows, color in kinds:
            self.lines_ += ax.plot("epoch", column, data=drawn, color=color, label=rows)
            pca_loss = self.history[column].iloc[0]
            self.pca_lines_.append(ax.axhline(pca_loss, color=color, linestyle="--"))
        # One entry in the legend for the lines of PCA, in the colour of neither.
        ax.plot([], [], color=COLORS["PCA"], linestyle="--", label="PCA")
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
        is_pca = self.best_epoch == 0 and self.starts_at_pca
        label = f"kept: epoch {self.best_epoch}{', PCA' if is_pca else ''}"
        return ax.axvline(self.best_epoch, color="black", linestyle=":", label=label)


def _losses(history, loss_type: str) -> list[tuple[str, str, str]]:
    """Give column, name and colour of each loss to plot."""
    if "valid_loss" in history:
        return [LOSSES[kind] for kind in LOSSES if loss_type in (kind, "both")]
    if loss_type == "valid":
        raise ValueError(
            "loss_type='valid', but no rows were set aside for validation. Pass 'train', or fit "
            "with early_stopping=True."
        )
    return [LOSSES["train"]]


def _loss_name(loss) -> str:
    """Name the mean of a loss, which is a name or a function."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "loss")
    return f"mean {name.replace('_', ' ')}"
