"""What a user writes, for a type checker: no error, and nothing is Any."""

from pathlib import Path
from typing import Any, assert_type

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from onnx import ModelProto

import sk_autoencoder
from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    CodesDisplay,
    ComparisonDisplay,
    OutlierExplanationDisplay,
    ReconstructionCurveDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
    VariationalAutoencoderTransformer,
    compare_with_pca,
)
from sk_autoencoder.dask import DaskAutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

X = np.zeros((40, 5))

autoencoder = AutoencoderTransformer(2, nested=True, random_state=0)
assert_type(autoencoder.fit(X), AutoencoderTransformer)
assert_type(autoencoder.partial_fit(X), AutoencoderTransformer)
assert_type(autoencoder.set_output(transform="pandas"), AutoencoderTransformer)
assert_type(autoencoder.set_params(n_components=3), AutoencoderTransformer)
assert_type(autoencoder.set_callbacks(), AutoencoderTransformer)
assert_type(autoencoder.get_params(), dict[str, Any])
codes = autoencoder.transform(X)
assert_type(codes, np.ndarray)
assert_type(autoencoder.fit_transform(X), np.ndarray)
assert_type(autoencoder.inverse_transform(codes), np.ndarray)
assert_type(autoencoder.reconstruct(X), np.ndarray)
assert_type(autoencoder.reconstruction_error(X, per_feature=True), np.ndarray)
assert_type(autoencoder.score(X), float)
assert_type(autoencoder.score_samples(X), np.ndarray)
assert_type(autoencoder.sample(3, random_state=0), np.ndarray)
assert_type(autoencoder.get_feature_names_out(), np.ndarray)
assert_type(autoencoder.transform_to("X.npy", Path("codes.npy")), Path)
autoencoder.save("a.safetensors")
assert_type(AutoencoderTransformer.load("a.safetensors"), AutoencoderTransformer)
loaded = sk_autoencoder.load("a.safetensors")
assert isinstance(loaded, AutoencoderTransformer)  # or another class that was saved
module = autoencoder.to_torch(dtype=np.float32)
assert_type(module.encode(torch.zeros(2, 5)), torch.Tensor)
assert_type(module.decode(torch.zeros(2, 2)), torch.Tensor)
assert_type(module.forward(torch.zeros(2, 5)), torch.Tensor)
assert_type(autoencoder.to_onnx("a.onnx", method="reconstruct"), ModelProto)

assert_type(autoencoder.history_, pd.DataFrame)
assert_type(autoencoder.net_.lr, float)
assert_type(autoencoder.n_components_, int)
assert_type(autoencoder.n_features_in_, int)
assert_type(autoencoder.feature_names_in_, np.ndarray)
assert_type(autoencoder.n_iter_, int)
assert_type(autoencoder.best_epoch_, int)
assert_type(autoencoder.is_pca_, bool)
assert_type(autoencoder.shrinkage_, float)
assert_type(autoencoder.validation_score_, float | None)
assert_type(autoencoder.pca_validation_score_, float | None)
assert_type(autoencoder.mean_, np.ndarray)
assert_type(autoencoder.components_, np.ndarray)
assert_type(autoencoder.explained_variance_, np.ndarray)
assert_type(autoencoder.explained_variance_ratio_, np.ndarray)
model = autoencoder.model_
assert_type(model.encode(X), np.ndarray)
assert_type(model.decode(codes), np.ndarray)
assert_type(model.reconstruct(X), np.ndarray)
assert_type(model.sample(2), np.ndarray)
assert_type(model.score_samples(X), np.ndarray)

variational = VariationalAutoencoderTransformer(2, kl_weight=1.0)
assert_type(variational.fit(X), VariationalAutoencoderTransformer)
assert_type(variational.score_samples(X), np.ndarray)
assert_type(variational.noise_variance_, float)

detector = AutoencoderOutlierDetector(novelty=True, random_state=0)
assert_type(detector.fit(X), AutoencoderOutlierDetector)
assert_type(detector.fit_predict(X), np.ndarray)
assert_type(detector.predict(X), np.ndarray)
assert_type(detector.score_samples(X), np.ndarray)
assert_type(detector.decision_function(X), np.ndarray)
assert_type(detector.explain(X), np.ndarray)
assert_type(detector.offset_, float)
assert_type(detector.to_onnx(), ModelProto)
assert_type(AutoencoderOutlierDetector.load("d.safetensors"), AutoencoderOutlierDetector)

table = compare_with_pca(X, n_components=(1, 2), random_state=0)
assert_type(table, pd.DataFrame)
assert_type(ComparisonDisplay(table).plot("error"), ComparisonDisplay)
assert_type(ComparisonDisplay.from_data(X), ComparisonDisplay)
curve = ReconstructionCurveDisplay.from_estimators([autoencoder], X)
assert_type(curve.plot(), ReconstructionCurveDisplay)
images = ReconstructionDisplay.from_estimators([autoencoder], X, image_shape=(1, 5))
assert_type(images.plot(), ReconstructionDisplay)
assert_type(TrainingCurveDisplay.from_estimator(autoencoder).plot(), TrainingCurveDisplay)
assert_type(CodesDisplay.from_estimator(autoencoder, X).plot(), CodesDisplay)
explained = OutlierExplanationDisplay.from_estimator(detector, X)
assert_type(explained.plot(), OutlierExplanationDisplay)
assert_type(explained.figure_, Figure)

on_dask = DaskAutoencoderTransformer(2)
# Of dask's functions that make collections the types are not told.
lazy: da.Array = da.zeros((40, 5))
frame: dd.DataFrame = lazy.to_dask_dataframe()  # type: ignore[no-untyped-call]
assert_type(on_dask.fit(lazy), DaskAutoencoderTransformer)
assert_type(on_dask.to_local(), AutoencoderTransformer)
assert_type(on_dask.transform(lazy), da.Array)
assert_type(on_dask.transform(frame), dd.DataFrame)
assert_type(on_dask.transform(X), np.ndarray)
assert_type(on_dask.inverse_transform(lazy), da.Array)
assert_type(on_dask.reconstruct(frame), dd.DataFrame)
assert_type(on_dask.score_samples(lazy), da.Array)
assert_type(on_dask.score_samples(frame), dd.Series)
images_of_clothes, labels = load_fashion_mnist("test")
assert_type(images_of_clothes, np.ndarray)
assert_type(labels, np.ndarray)
