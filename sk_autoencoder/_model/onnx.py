"""A fitted autoencoder as a graph of ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sk_autoencoder._model.composed import compose_activations
from sk_autoencoder._model.exported import TorchAutoencoder, TorchImputer
from sk_autoencoder._utils.packages import installed_by

LEAST_OPSET = 18
OPSET = 20
# Of each method what of the module it is, its input and its output.
METHODS = {
    "transform": ("encode", "X", "codes"),
    "inverse_transform": ("decode", "codes", "X_original"),
    "reconstruct": ("forward", "X", "X_reconstructed"),
}
NOISY_LOGGERS = ("torch.onnx", "torch.onnx._internal.exporter._registration", "onnxscript")


@dataclass(frozen=True)
class Graph:
    """Names of inputs and outputs of a graph, its version, and whether it has many nodes."""

    inputs: list[str]
    outputs: list[str]
    opset: int = OPSET
    is_long: bool = False


class Method(nn.Module):
    """One method of a module, as the only one."""

    def __init__(self, module: nn.Module, name: str):
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, x: Tensor) -> Any:
        return getattr(self.module, self.name)(x)


def check_onnx(name: str) -> None:
    """Say what to install where ONNX is not there."""
    remedy = f'{name} needs onnx and onnxscript. Install them: pip install "sk-autoencoder[onnx]".'
    with installed_by(remedy):
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401


def onnx_model(module: TorchAutoencoder, method: str, opset: int = OPSET) -> Any:
    """Return the graph of a method of an autoencoder, as an `onnx.ModelProto`.

    Parameters
    ----------
    module : TorchAutoencoder
    method : {"transform", "inverse_transform", "reconstruct"}
    opset : int, default=20
        Version of ONNX' operators.
    """
    name, read, written = METHODS[method]
    width = module.n_components if name == "decode" else module.n_features_in
    example = torch.ones(2, width, dtype=module.input.origin.dtype)
    if isinstance(module.imputer, TorchImputer):
        module.imputer.eliminates = True
    is_long = isinstance(module.imputer, TorchImputer) and name != "decode"
    graph = Graph([read], [written], max(opset, LEAST_OPSET), is_long)
    return exported(Method(module, name), example, graph)


def exported(module: nn.Module, example: Tensor, graph: Graph) -> Any:
    """Return the graph of a module, for batches of any number of rows."""
    if example.dtype == torch.float64:
        compose_activations(module)
    with _silence(), torch.no_grad():
        program: Any = torch.onnx.export(
            module.cpu().eval(),
            (example,),
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes=({0: torch.export.Dim("n_samples")},),
            opset_version=graph.opset,
            dynamo=True,
            # What runs a long graph makes it shorter in less time.
            optimize=not graph.is_long,
            verbose=False,
        )
    return _tidied(program.model_proto)


def _tidied(model: Any) -> Any:
    """Return a graph without the notes of the exporter, which name files of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
    model.producer_name, model.producer_version = "sk-autoencoder", ""
    return model


@contextmanager
def _silence() -> Iterator[None]:
    """Hold back what the exporter tells of packages that it misses, and of torch's own future."""
    loggers = [logging.getLogger(name) for name in NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
