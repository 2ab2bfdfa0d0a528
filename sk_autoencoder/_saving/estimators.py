"""Estimators as arrays and facts, and back: their class, their parameters, what a fit has set."""

from __future__ import annotations

import copy
import importlib
import inspect
from typing import Any

import torch
from torch import nn

from sk_autoencoder._model.plain import Own, asks_for
from sk_autoencoder._saving import detectors, transformers
from sk_autoencoder._saving.values import CodeError, of_json, to_json
from sk_autoencoder._utils.devices import resolve_device
from sk_autoencoder._utils.facts import FactError, choice, fact
from sk_autoencoder._utils.plain import Plain

DETECTOR = "AutoencoderOutlierDetector"
CLASSES = ("AutoencoderTransformer", "VariationalAutoencoderTransformer", DETECTOR)
OUTPUTS = ("default", "pandas", "polars")

SKOPS = (
    "Only estimators of this package are saved in such a file. Save it with skops.io.dump, and "
    "load it with skops.io.load(file, trusted=sk_autoencoder.TRUSTED_TYPES)."
)


def find_class(name: str) -> Any:
    """Return a class of this package that is saved."""
    return getattr(importlib.import_module("sk_autoencoder"), name)


def plain_estimator(estimator: Any) -> Plain:
    """Return an estimator of this package as arrays and facts.

    Raises
    ------
    TypeError
        If a part of it is of another package.
    """
    kind = next((name for name in CLASSES if isinstance(estimator, find_class(name))), None)
    if kind is None:
        raise TypeError(f"{type(estimator).__qualname__} is not saved. {SKOPS}")
    plain = Plain({"class": type(estimator).__name__, "kind": kind})
    params: dict[str, Any] = {}
    code: dict[str, str] = {}
    for name, value in estimator.get_params(deep=False).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            plain.put(name, plain_estimator(value))
            continue
        try:
            params[name] = to_json(value)
        except CodeError as error:
            code[name] = str(error)
    plain.facts["params"], plain.facts["code"] = params, code
    output = vars(estimator).get("_sklearn_output_config", {}).get("transform")
    if output is not None:
        plain.facts["set_output"] = output
    if not {"references_", "model_"} & set(vars(estimator)):
        return plain
    plain.put("fit", plain_fit(estimator))
    if kind == DETECTOR:
        plain.put("autoencoder_", plain_estimator(estimator.autoencoder_))
    elif own := asks_for(plain.part("fit").part("model")):
        code |= {name: code.get(name, "what it was fitted with") for name in own}
    return plain


def plain_fit(estimator: Any) -> Plain:
    """Return what a fit has set, but for the autoencoder of a detector."""
    room: Any = detectors if "references_" in vars(estimator) else transformers
    return room.plain_fit(estimator)


def fit_from(estimator: Any, plain: Plain, loss: Any = None) -> dict[str, Any]:
    """Return what `plain_fit` has described, for an estimator that has its parameters.

    `loss` is a loss that is a function.
    """
    if "references" in plain.arrays:
        return detectors.fit_of(plain)
    params = estimator.get_params(deep=False)
    own = Own(_maker(params["module"], params["net_params"]), loss)
    return transformers.fit_of(plain, own, resolve_device(params["device"]))


class Reader:
    """Makes estimators from their descriptions, and from what its caller gives of them.

    Parameters
    ----------
    given : dict
        Parameters by name, of an estimator inside of another one with the name of that in front.
    """

    def __init__(self, given: dict[str, Any], prefix: str = ""):
        self.given = given
        self.prefix = prefix

    def inside(self, name: str) -> Reader:
        """Return what makes the estimators inside of one."""
        return Reader(self.given, f"{self.prefix}{name}__")

    def check(self, plain: Plain) -> None:
        """Refuse what is given and not asked for, or the other way round."""
        asked = self.asked(plain)
        missing = [f"{name} ({told})" for name, told in asked.items() if name not in self.given]
        if missing:
            names = ", ".join(f"{name}=..." for name in asked)
            raise FactError(
                f"parameters of it are code, which a file only names: {', '.join(missing)}. Pass "
                f"what they were: load(path, {names})"
            )
        allowed = {*asked, "device"}
        if unknown := sorted(set(self.given) - allowed):
            raise TypeError(
                f"load got {unknown[0]!r}, which is no code in this file. It takes "
                f"{', '.join(sorted(allowed))}; set other parameters of what it returns."
            )

    def asked(self, plain: Plain) -> dict[str, str]:
        """Return what a description leaves to its reader by name, and what it was."""
        code = fact(plain.facts, "code", dict)
        found = {f"{self.prefix}{name}": str(told)[:100] for name, told in code.items()}
        for name in ("autoencoder", "autoencoder_"):
            if name in plain.facts:
                found |= self.inside("autoencoder").asked(plain.part(name))
        return found

    def estimator(self, plain: Plain, cls: Any = None) -> Any:
        """Return the estimator of a description, of its own class or of a subclass of that."""
        kind = choice(plain.facts, "kind", CLASSES)
        cls = cls or find_class(kind)
        if not issubclass(cls, find_class(kind)):
            raise FactError(f"{cls.__name__} is no {kind}")
        params = self._params(plain, inspect.signature(cls).parameters)
        estimator = cls(**params)
        if "set_output" in plain.facts:
            estimator.set_output(transform=choice(plain.facts, "set_output", OUTPUTS))
        if "fit" not in plain.facts:
            return estimator
        if kind == DETECTOR:
            found = detectors.fit_of(plain.part("fit"))
            found["autoencoder_"] = self.inside("autoencoder").estimator(plain.part("autoencoder_"))
        else:
            params = estimator.get_params(deep=False)
            found = transformers.fit_of(plain.part("fit"), self._own(params), self._device(params))
        vars(estimator).update(found)
        return estimator

    def _params(self, plain: Plain, names: Any) -> dict[str, Any]:
        """Return the parameters, the given ones among them."""
        params = {n: of_json(value) for n, value in fact(plain.facts, "params", dict).items()}
        for name in fact(plain.facts, "code", dict):
            if name not in params:
                params[name] = self.given[f"{self.prefix}{name}"]
        if "autoencoder" in plain.facts:
            params["autoencoder"] = self.inside("autoencoder").estimator(plain.part("autoencoder"))
        if "device" in params and "device" in self.given:
            params["device"] = self.given["device"]
        if unknown := sorted(set(params) - set(names)):
            raise FactError(f"{plain.facts['kind']} has no parameter {unknown[0]!r:.60}")
        return params

    def _own(self, params: dict[str, Any]) -> Own:
        """Return the user's parts of a model."""
        module = self.given.get(f"{self.prefix}module", params["module"])
        loss = self.given.get(f"{self.prefix}loss", params["loss"])
        return Own(_maker(module, params["net_params"]), loss)

    def _device(self, params: dict[str, Any]) -> torch.device:
        """Return where to compute: what is not there is told with the remedy."""
        device = params["device"]
        if not isinstance(device, (str, torch.device)):
            raise FactError("'device' is no name of a device")
        try:
            return resolve_device(device)
        except ValueError as error:
            raise ValueError(f"{error} Here: load(path, device='auto').") from error


def _maker(module: Any, net_params: Any) -> Any:
    """Return what makes a module of the user's, as it is made in a fit; None without one."""
    if module is None:
        return None
    if isinstance(module, nn.Module):
        return lambda: copy.deepcopy(module)
    start = "module__"
    found = net_params if isinstance(net_params, dict) else {}
    params = {str(k).removeprefix(start): v for k, v in found.items() if str(k).startswith(start)}
    return lambda: module(**params)
