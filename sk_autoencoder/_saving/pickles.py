"""Fitted estimators as pickles: from any device, for any other, and with their version."""

from __future__ import annotations

import copyreg
import json
import warnings
from typing import Any

from sk_autoencoder._saving.estimators import fit_from, plain_fit
from sk_autoencoder._saving.modules import module_of, plain_module
from sk_autoencoder._saving.versions import version
from sk_autoencoder._training.moving import move
from sk_autoencoder._utils.devices import resolve_device
from sk_autoencoder._utils.pickling import pickled, unpickled
from sk_autoencoder._utils.plain import Plain

# Names in a state: of what a pickle has, and of what other formats have in its place.
VERSION = "_sk_autoencoder_version"
FIT = "_pickled_fit"
FACTS, ARRAYS, INSIDE, LOSS = "_facts", "_arrays", "_autoencoder", "_loss"


class PicklingMixin:
    """How an estimator is pickled, copied, and described to formats that run no code.

    A pickle holds what training needs, too. What `__getstate__` returns is for skops and its like:
    but for parameters it is of numbers and texts, and modules among these are described.
    """

    def __copy__(self):
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple:
        state, fitted = self._divided()
        if fitted:
            params = self.get_params(deep=False)  # type: ignore[attr-defined]
            state[FIT] = pickled(fitted, params, protocol)
        return copyreg.__newobj__, (type(self),), state  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        state, fitted = self._divided()
        state = {name: plain_module(value) for name, value in state.items()}
        if fitted:
            plain = plain_fit(self)
            state |= {FACTS: json.dumps(plain.facts), ARRAYS: plain.arrays}
            if "autoencoder_" in fitted:
                state[INSIDE] = fitted["autoencoder_"]
            elif callable(fitted["model_"].loss):
                state[LOSS] = plain_module(fitted["model_"].loss)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = {name: module_of(value) for name, value in state.items()}
        _warn_of_version(type(self).__name__, state.pop(VERSION, None))
        found = state.pop(FIT, None)
        facts, arrays = state.pop(FACTS, None), state.pop(ARRAYS, None)
        inside, loss = state.pop(INSIDE, None), state.pop(LOSS, None)
        vars(self).update(state)
        if found is not None:
            params = self.get_params(deep=False)  # type: ignore[attr-defined]
            fitted = unpickled(found, params)
            if "_training" in fitted and (device := resolve_device(params["device"])).type != "cpu":
                move(fitted["_training"], device)
            vars(self).update(fitted)
        elif facts is not None:
            vars(self).update(fit_from(self, Plain(json.loads(facts), arrays), loss))
            if inside is not None:
                vars(self)["autoencoder_"] = inside

    def _divided(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a fit has not set, with the version, and what it has set."""
        fitted = fitted_attributes(self)
        state = {name: value for name, value in vars(self).items() if name not in fitted}
        return state | {VERSION: version()}, fitted


def is_fitted(name: str) -> bool:
    """Return whether an attribute is one that a fit sets."""
    return name == "_training" or (name.endswith("_") and not name.startswith("_"))


def fitted_attributes(estimator) -> dict[str, Any]:
    """Return what a fit has set, by name."""
    return {name: value for name, value in vars(estimator).items() if is_fitted(name)}


def replace_fitted(estimator, attributes: dict[str, Any]) -> None:
    """Set all fitted attributes at once, in place of those of a fit before."""
    kept = {name: value for name, value in vars(estimator).items() if not is_fitted(name)}
    estimator.__dict__ = kept | attributes


def _warn_of_version(name: str, found: str | None) -> None:
    """Tell that a pickle is of another version, in which an estimator may hold other things."""
    if found is not None and found != version():
        warnings.warn(
            f"A {name} of sk-autoencoder {found} is unpickled by version {version()}, and may "
            "break or give other results. What its method save writes is read by later versions.",
            UserWarning,
            stacklevel=3,
        )
