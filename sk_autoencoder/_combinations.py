"""Parameters that make no sense together: one table of what is refused, and why."""

from __future__ import annotations

from collections.abc import Callable

from sk_autoencoder._config import Config

# Parameters of the stacked autoencoder, and the value that leaves each of them out.
OF_THE_STACK = {"dropout": 0.0, "normalization": None, "tied_weights": False, "pretrain": None}


def check_combinations(config: Config) -> None:
    """Refuse parameters that make no sense together, with the reason."""
    for is_refused, reason in REFUSED:
        if is_refused(config):
            raise ValueError(reason.format(**config.params()))


def _is_set(name: str) -> Callable[[Config], bool]:
    return lambda config: (
        config.network.has_own_module and getattr(config.network, name) != OF_THE_STACK[name]
    )


REFUSED: list[tuple[Callable[[Config], bool], str]] = [
    (
        _is_set(name),
        f"{name}={{{name}!r}} shapes the stacked autoencoder, but module has its own layers. Leave "
        f"{name} out, or build it into the module.",
    )
    for name in OF_THE_STACK
]
REFUSED += [
    (
        lambda config: config.code.n_components == "auto" and not config.code.nested,
        "n_components='auto' compares what each component adds to those before it, which only "
        "those of AutoencoderTransformer(nested=True) have. Set that, or pass a number or a "
        "share of the variance.",
    ),
    (
        lambda config: config.network.pretrain is not None and config.network.linear_shortcut,
        "pretrain={pretrain!r} finds first weights for a stack that starts from random ones, but "
        "linear_shortcut=True starts at PCA. Set linear_shortcut=False, or pretrain=None.",
    ),
    (
        lambda config: config.network.has_no_hidden_layer and config.network.dropout > 0,
        "dropout={dropout!r} drops hidden units, but hidden_layer_sizes is empty. Add a hidden "
        "layer, or set dropout=0.",
    ),
    (
        lambda config: (
            config.network.has_no_hidden_layer and config.network.normalization is not None
        ),
        "normalization={normalization!r} is put behind hidden layers, but hidden_layer_sizes is "
        "empty. Add a hidden layer, or set normalization=None.",
    ),
    (
        lambda config: (
            config.penalties.contractive_penalty > 0 and config.network.normalization == "batch"
        ),
        "contractive_penalty takes the derivative of each row's code by that row, but with "
        "normalization='batch' it depends on the other rows too. Use normalization='layer'.",
    ),
    (
        lambda config: config.penalties.sparsity_penalty > 0 and config.code.whiten,
        "sparsity_penalty makes components zero, but whiten=True centres them and mixes them with "
        "the ones before. Set whiten=False, or sparsity_penalty=0.",
    ),
]
