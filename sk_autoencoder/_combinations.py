"""Parameters that make no sense together: one table of what is refused, and why."""

from __future__ import annotations

# Parameters of the stacked autoencoder, and the value that leaves each of them out.
OF_THE_STACK = {"dropout": 0.0, "normalization": None, "tied_weights": False, "pretrain": None}


def check_combinations(estimator) -> None:
    """Refuse parameters that make no sense together, with the reason."""
    for is_refused, reason in REFUSED:
        if is_refused(estimator):
            raise ValueError(reason.format(**estimator.get_params(deep=False)))


def gives_wide_codes_meaning(estimator) -> bool:
    """Whether a code may be wider than X without a copy of X as the best one.

    Of the others, contractive_penalty is the same for a copy as for all of its linear images,
    and where variational codes copy X, the noise that suits them best is none.
    """
    is_corrupted = estimator.corruption is not None and (
        callable(estimator.corruption) or estimator.corruption_level > 0
    )
    return bool(is_corrupted or estimator.sparsity_penalty > 0)


def _has_no_hidden_layer(estimator) -> bool:
    sizes = estimator.hidden_layer_sizes
    return not isinstance(sizes, str) and len(sizes) == 0


def _is_set(name: str):
    return lambda estimator: (
        estimator.module is not None and getattr(estimator, name) != OF_THE_STACK[name]
    )


REFUSED = [
    (
        _is_set(name),
        f"{name}={{{name}!r}} shapes the stacked autoencoder, but module has its own layers. Leave "
        f"{name} out, or build it into the module.",
    )
    for name in OF_THE_STACK
]
REFUSED += [
    (
        lambda estimator: estimator.pretrain is not None and estimator.linear_shortcut,
        "pretrain={pretrain!r} finds first weights for a stack that starts from random ones, but "
        "linear_shortcut=True starts at PCA. Set linear_shortcut=False, or pretrain=None.",
    ),
    (
        lambda estimator: _has_no_hidden_layer(estimator) and estimator.dropout > 0,
        "dropout={dropout!r} drops hidden units, but hidden_layer_sizes is empty. Add a hidden "
        "layer, or set dropout=0.",
    ),
    (
        lambda estimator: _has_no_hidden_layer(estimator) and estimator.normalization is not None,
        "normalization={normalization!r} is put behind hidden layers, but hidden_layer_sizes is "
        "empty. Add a hidden layer, or set normalization=None.",
    ),
    (
        lambda estimator: estimator.contractive_penalty > 0 and estimator.normalization == "batch",
        "contractive_penalty takes the derivative of each row's code by that row, but with "
        "normalization='batch' it depends on the other rows too. Use normalization='layer'.",
    ),
    (
        lambda estimator: estimator.sparsity_penalty > 0 and estimator.whiten,
        "sparsity_penalty makes components zero, but whiten=True centres them and mixes them with "
        "the ones before. Set whiten=False, or sparsity_penalty=0.",
    ),
]
