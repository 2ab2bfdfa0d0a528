"""Methods by which a fitted estimator leaves Python: for torch, for ONNX, for skl2onnx."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sk_autoencoder._model.exported import TorchAutoencoder, floating, torch_autoencoder
from sk_autoencoder._model.onnx import METHODS, Graph, check_onnx, exported, onnx_model
from sk_autoencoder._nn.frames import torch_dtype
from sk_autoencoder._outliers.exported import TorchScores
from sk_autoencoder._utils.files import write_whole
from sk_autoencoder._validation import check_fitted

if TYPE_CHECKING:
    from onnx import ModelProto


class ExportingMixin:
    """How a fitted transformer leaves this package."""

    def to_torch(self, *, dtype: Any = None, allow_nan: bool | str = "auto") -> TorchAutoencoder:
        """Return the fitted autoencoder as a module of torch, in the units of X.

        It has the methods `encode`, `decode` and `forward`, which is both in turn: they do what
        `transform`, `inverse_transform` and `reconstruct` do, whitening and output activation
        included. It is a copy, in inference mode, on the device of the fit. `torch.export` takes
        it, with any number of rows. What `net_.module_` is trained on are other coordinates.

        Parameters
        ----------
        dtype : torch.dtype or numpy dtype, default=None
            Of the rows to come: float32 or float64. None takes that of the fit.
        allow_nan : bool or "auto", default="auto"
            Whether missing values are imputed, which takes time with complete rows, too. "auto"
            does so where rows of the fit missed values. Else the code of a row that misses one
            is NaN.

        Returns
        -------
        module : torch.nn.Module
            Takes tensors of shape (n_samples, n_features), and codes of shape
            (n_samples, n_components).

        Raises
        ------
        ValueError
            If `dtype` is another one.
        """
        check_fitted(self)
        return torch_autoencoder(self.model_, dtype, allow_nan)  # type: ignore[attr-defined]

    def to_onnx(
        self,
        path: str | PathLike[str] | None = None,
        *,
        method: str = "transform",
        dtype: Any = None,
        allow_nan: bool | str = "auto",
    ) -> ModelProto:
        """Return a method of the fitted autoencoder as a graph of ONNX, in the units of X.

        The graph takes any number of rows. A `Pipeline` with this transformer inside becomes one
        graph by ``skl2onnx.to_onnx(pipeline, X[:1])``, which knows what to do with it.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write, whole or not at all. None writes none.
        method : {"transform", "inverse_transform", "reconstruct"}, default="transform"
            What the graph computes. Its input is "X", or "codes", and its output "codes",
            "X_original" or "X_reconstructed".
        dtype : torch.dtype or numpy dtype, default=None
            Of the rows to come: float32 or float64. None takes that of the fit.
        allow_nan : bool or "auto", default="auto"
            Whether missing values are imputed in the graph. "auto" does so where rows of the
            fit missed values. Else the code of a row that misses one is NaN.

        Returns
        -------
        model : onnx.ModelProto
            The graph.

        Raises
        ------
        ImportError
            If onnx or onnxscript is not there.
        ValueError
            If `method` or `dtype` is another one.
        """
        check_onnx(f"{type(self).__name__}.to_onnx")
        if method not in METHODS:
            raise ValueError(f"method={method!r} is none of {', '.join(map(repr, METHODS))}.")
        module = self.to_torch(dtype=dtype, allow_nan=allow_nan)
        return _written(onnx_model(module, method), path)

    def onnx_parser(self) -> Callable:
        """Return what tells skl2onnx of the outputs: one, of the type of X."""
        return lambda scope=None, inputs=None: ["codes"]

    def onnx_shape_calculator(self) -> Callable:
        """Return what tells skl2onnx of the shape of the codes."""
        from sk_autoencoder._skl2onnx import codes_shape

        return codes_shape

    def onnx_converter(self) -> Callable:
        """Return what puts `transform` into a graph of skl2onnx."""
        from sk_autoencoder._skl2onnx import convert_transform

        return convert_transform


class ExportingDetectorMixin:
    """How a fitted detector leaves this package."""

    def to_onnx(self, path: str | PathLike[str] | None = None, *, dtype: Any = None) -> ModelProto:
        """Return labels and scores of the fitted detector as a graph of ONNX, in the units of X.

        A `Pipeline` that ends in this detector becomes one graph by
        ``skl2onnx.to_onnx(pipeline, X[:1])``, which knows what to do with it.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write, whole or not at all. None writes none.
        dtype : torch.dtype or numpy dtype, default=None
            Of the rows to come: float32, or float64 for None. All is computed in float64.

        Returns
        -------
        model : onnx.ModelProto
            The graph, with the input "X", and the outputs "label", int64, and "scores", float64:
            those of `predict` and `score_samples`.

        Raises
        ------
        ImportError
            If onnx or onnxscript is not there.
        ValueError
            If `dtype` is another one.
        """
        check_onnx(f"{type(self).__name__}.to_onnx")
        check_is_fitted(self)
        width = self.n_features_in_  # type: ignore[attr-defined]
        example = torch.ones(2, width, dtype=torch_dtype(floating(dtype or np.float64)))
        graph = Graph(["X"], ["label", "scores"])
        return _written(exported(self._torch_scores(), example, graph), path)

    def onnx_parser(self) -> Callable:
        """Return what tells skl2onnx of the outputs: labels and scores."""
        from sk_autoencoder._skl2onnx import detector_outputs

        return detector_outputs

    def onnx_shape_calculator(self) -> Callable:
        """Return what tells skl2onnx of the shapes of labels and scores."""
        from sk_autoencoder._skl2onnx import detector_shapes

        return detector_shapes

    def onnx_converter(self) -> Callable:
        """Return what puts labels and scores into a graph of skl2onnx."""
        from sk_autoencoder._skl2onnx import convert_detector

        return convert_detector

    def _torch_scores(self) -> TorchScores:
        """Return labels and scores of the fitted detector as a module of torch."""
        references = self._references()  # type: ignore[attr-defined]
        return TorchScores(references, float(self.offset_))  # type: ignore[attr-defined]


def _written(model: Any, path: str | PathLike | None) -> Any:
    """Return a graph, after it is written where a path is given."""
    if path is not None:
        content = model.SerializeToString()
        write_whole(Path(path).resolve(), lambda file: file.write(content))
    return model
