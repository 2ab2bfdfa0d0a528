"""What skl2onnx asks of the estimators: shapes, and nodes that go into its graph.

It finds these functions by the methods `onnx_parser`, `onnx_shape_calculator` and `onnx_converter`
of an estimator, without being told of them before.
"""

from __future__ import annotations

from typing import Any

import torch
from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType
from torch import Tensor, nn

from sk_autoencoder._model.exported import torch_autoencoder
from sk_autoencoder._model.onnx import OPSET, Graph, exported, onnx_model


def codes_shape(operator: Any) -> None:
    """Set the shape of the codes, which have the dtype of X."""
    estimator, read = operator.raw_operator, operator.inputs[0].type
    floating = type(read) if isinstance(read, DoubleTensorType) else _float_type()
    operator.outputs[0].type = floating([read.shape[0], estimator.n_components_])


def convert_transform(scope: Any, operator: Any, container: Any) -> None:
    """Put the nodes of `transform` into a graph."""
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    module = torch_autoencoder(
        operator.raw_operator.model_, torch.float64 if is_double else torch.float32
    )
    model = onnx_model(module, "transform", min(container.target_opset, OPSET))
    _insert(model, scope, operator, container)


def detector_outputs(scope: Any = None, inputs: Any = None) -> list:
    """Return names and types of what a detector gives: labels and scores."""
    return [("label", Int64TensorType()), ("scores", inputs[0].type)]


def detector_shapes(operator: Any) -> None:
    """Set the shapes of labels and scores; these have the dtype of X."""
    read = operator.inputs[0].type
    floating = type(read) if isinstance(read, DoubleTensorType) else _float_type()
    operator.outputs[0].type = Int64TensorType([read.shape[0]])
    operator.outputs[1].type = floating([read.shape[0]])


def convert_detector(scope: Any, operator: Any, container: Any) -> None:
    """Put the nodes of labels and scores into a graph."""
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    dtype = torch.float64 if is_double else torch.float32
    example = torch.ones(2, operator.raw_operator.n_features_in_, dtype=dtype)
    graph = Graph(["X"], ["label", "scores"], min(container.target_opset, OPSET))
    module = _InDtype(operator.raw_operator._torch_scores(), dtype)
    _insert(exported(module, example, graph), scope, operator, container)


class _InDtype(nn.Module):
    """Labels and scores, the latter in a dtype."""

    def __init__(self, module: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.module = module
        self.dtype = dtype

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        labels, scores = self.module(x)
        return labels, scores.to(self.dtype)


def _float_type() -> Any:
    from skl2onnx.common.data_types import FloatTensorType

    return FloatTensorType


def _insert(model: Any, scope: Any, operator: Any, container: Any) -> None:
    """Put a graph between the variables of an operator, under names of its own."""
    graph = model.graph
    names = {value.name: "" for value in graph.initializer}
    names |= {name: "" for node in graph.node for name in node.output}
    names = {name: scope.get_unique_variable_name(f"autoencoder_{name}") for name in names}
    names |= dict(
        zip((v.name for v in graph.input), _input_names(operator, container, scope), strict=True)
    )
    names |= dict(
        zip((v.name for v in graph.output), (v.full_name for v in operator.outputs), strict=True)
    )
    for value in graph.initializer:
        value.name = names[value.name]
        container.initializers.append(value)
    for node in graph.node:
        renamed = type(node)()
        renamed.CopyFrom(node)
        renamed.name = scope.get_unique_operator_name("autoencoder")
        renamed.input[:] = [names.get(name, name) for name in node.input]
        renamed.output[:] = [names.get(name, name) for name in node.output]
        container.nodes.append(renamed)
    for opset in model.opset_import:
        container.node_domain_version_pair_sets.add((opset.domain, opset.version))


def _input_names(operator: Any, container: Any, scope: Any) -> list[str]:
    """Return the name of the one input, to which several are put together."""
    names = operator.input_full_names
    if len(names) == 1:
        return names
    from skl2onnx.common._apply_operation import apply_concat

    together = scope.get_unique_variable_name("autoencoder_X")
    apply_concat(scope, names, together, container, axis=1)
    return [together]
