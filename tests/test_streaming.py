"""Fits of tables that are larger than memory, and codes of them that are written."""

import json
import pickle
import threading

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import zarr

from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer, load
from sk_autoencoder._sources import writing
from tests.test_sources import KINDS, Again, Sines, written

N_ROWS = 12_000


def some(names, soon):
    """Give all names; those that are not asked soon are slow."""
    return [n if n in soon else pytest.param(n, marks=pytest.mark.slow) for n in names]


@pytest.fixture(scope="module")
def whole():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(N_ROWS + 2000, 2))
    X = np.tanh(z @ rng.normal(size=(2, 7))) + 0.05 * rng.normal(size=(N_ROWS + 2000, 7))
    return X.astype(np.float32)


@pytest.fixture
def X(whole):
    return whole[:N_ROWS]


@pytest.fixture
def new(whole):
    return whole[N_ROWS:]


@pytest.fixture
def streamed(monkeypatch):
    """Take all that is read a block at a time for larger than memory, and keep nothing."""
    monkeypatch.setattr("sk_autoencoder._sources.table.PIECE_BYTES", 2**14)
    monkeypatch.setattr("sk_autoencoder._sources.find.IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("sk_autoencoder._sources.shuffling.BUFFER_BYTES", 2**16)
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", 0)


def quick(**params):
    return AutoencoderTransformer(
        **({"n_components": 2, "max_epochs": 15, "random_state": 0} | params)
    )


def unexplained(autoencoder, X):
    names = getattr(autoencoder, "feature_names_in_", None)
    return 1 - autoencoder.score(X if names is None else pd.DataFrame(X, columns=names))


@pytest.mark.sampled(only=["npy"])
@pytest.mark.parametrize("kind", some(KINDS, {"npy", "parquet", "iterable"}))
def test_errors_are_those_of_a_fit_in_memory(tmp_path, X, new, streamed, kind):
    inside, outside = quick().fit(X), quick().fit(written(tmp_path, X, kind))
    assert unexplained(outside, new) < 1.01 * unexplained(inside, new)
    assert not outside.is_pca_
    assert 0 < outside.validation_score_ <= 1
    assert outside.n_features_in_ == 7
    assert hasattr(outside, "feature_names_in_") == (kind in ("parquet", "dataset", "dask frame"))


@pytest.mark.parametrize("kind", ["npy", "parquet", "iterable"])
def test_a_small_table_is_fitted_as_an_array_is(tmp_path, X, kind):
    table = written(tmp_path, X[:900], kind)
    inside, outside = quick(max_epochs=3).fit(X[:900]), quick(max_epochs=3).fit(table)
    np.testing.assert_array_equal(inside.model_.encode(X[:50]), outside.model_.encode(X[:50]))


PARAMS = {
    "corruption": {"corruption": "masking"},
    "swaps": {"corruption": "swap"},
    "huber": {"loss": "huber"},
    "absolute error": {"loss": "absolute_error"},
    "a share of variance": {"n_components": 0.7},
    "nested": {"nested": True},
    "whitened": {"whiten": True},
    "textbook": {"linear_shortcut": False},
    "pretrained": {"linear_shortcut": False, "pretrain": "layerwise"},
    "no stopping": {"early_stopping": False},
    "nested, no stopping": {"early_stopping": False, "nested": True},
    "sparse codes": {"sparsity_penalty": 0.01},
    "refit": {"refit": True},
}


@pytest.mark.sampled(only=["corruption"])
@pytest.mark.parametrize("name", some(PARAMS, {"corruption", "nested", "refit"}))
def test_parameters_mean_what_they_mean_in_memory(tmp_path, X, new, streamed, name):
    params = PARAMS[name]
    path = written(tmp_path, X, "npy")
    inside, outside = quick(**params).fit(X), quick(**params).fit(path)
    assert outside.n_components_ == inside.n_components_
    assert unexplained(outside, new) < 1.3 * unexplained(inside, new)
    total = [part.explained_variance_.sum() for part in (outside, inside)]
    assert total[0] == pytest.approx(total[1], rel=0.3)
    assert outside.sample(5, random_state=0).shape == (5, 7)


@pytest.mark.slow
@pytest.mark.parametrize("loss", some(["binary_crossentropy", "poisson"], {"poisson"}))
def test_losses_with_a_link_are_streamed(tmp_path, X, new, streamed, loss):
    def to_unit(rows):
        return np.clip((rows + 2) / 4, 0, 1)

    path = written(tmp_path, to_unit(X), "npy")
    inside, outside = quick(loss=loss).fit(to_unit(X)), quick(loss=loss).fit(path)
    assert unexplained(outside, to_unit(new)) < 1.05 * unexplained(inside, to_unit(new))


def test_values_outside_of_a_loss_are_named(tmp_path, X, streamed):
    with pytest.raises(ValueError, match=r"(?s)Rows 0 to .*needs X between 0 and 1"):
        quick(loss="binary_crossentropy").fit(written(tmp_path, X, "npy"))


@pytest.mark.slow
def test_a_variational_autoencoder_is_streamed(tmp_path, X, new, streamed):
    params = {"n_components": 2, "max_epochs": 5, "random_state": 0}
    inside = VariationalAutoencoderTransformer(**params).fit(X)
    outside = VariationalAutoencoderTransformer(**params).fit(written(tmp_path, X, "npy"))
    assert outside.noise_variance_ == pytest.approx(inside.noise_variance_, rel=0.1)
    assert unexplained(outside, new) < 1.1 * unexplained(inside, new)


def test_rows_of_ones_own_judge(tmp_path, X, new, streamed):
    autoencoder = quick().fit(written(tmp_path, X, "npy"), X_val=new)
    assert autoencoder.validation_score_ == pytest.approx(autoencoder.score(new), rel=1e-3)


@pytest.mark.slow
def test_a_warm_start_goes_on(tmp_path, X, new, streamed):
    path = written(tmp_path, X, "npy")
    autoencoder = quick(warm_start=True, max_epochs=3).fit(path)
    before = unexplained(autoencoder, new)
    autoencoder.fit(path)
    assert len(autoencoder.history_) == 7
    assert unexplained(autoencoder, new) < 1.05 * before
    autoencoder.partial_fit(X[:500])


def test_what_is_fitted_is_kept_in_files(tmp_path, X, streamed):
    autoencoder = quick(max_epochs=2).fit(written(tmp_path, X, "parquet"))
    autoencoder.save(tmp_path / "model.safetensors")
    copies = load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(autoencoder))
    assert len(pickle.dumps(autoencoder)) < X.nbytes
    for copied in copies:
        np.testing.assert_array_equal(copied.model_.encode(X), autoencoder.model_.encode(X))


def test_no_thread_is_left(tmp_path, X, streamed):
    before = threading.active_count()
    quick(max_epochs=1).fit(written(tmp_path, X, "npy"))
    assert threading.active_count() <= before


def test_a_seed_repeats_the_fit(tmp_path, X, streamed):
    path = written(tmp_path, X, "parquet")
    codes = [quick(max_epochs=2).fit(path).model_.encode(X[:50]) for _ in range(2)]
    np.testing.assert_array_equal(*codes)


@pytest.mark.slow
def test_a_fit_that_was_stopped_goes_on_from_its_checkpoint(tmp_path, X, streamed):
    path, file = written(tmp_path, X, "npy"), tmp_path / "fit.pt"
    expected = quick(max_epochs=4).fit(path)
    quick(max_epochs=4, checkpoint=file, checkpoint_every=1).fit(path)
    again = quick(max_epochs=4).fit(path, resume_from=file)
    np.testing.assert_array_equal(again.model_.encode(X[:9]), expected.model_.encode(X[:9]))
    np.save(path, X[::-1])
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        quick(max_epochs=4).fit(path, resume_from=file)


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
def test_what_belongs_to_each_row_is_refused(tmp_path, X, streamed, name):
    with pytest.raises(ValueError, match=f"no {name} can be passed"):
        quick().fit(written(tmp_path, X, "npy"), **{name: np.ones(len(X))})
    with pytest.raises(ValueError, match="no y can be passed"):
        quick(supervised_weight=1.0).fit(written(tmp_path, X, "npy"), np.ones(len(X)))


def test_a_map_with_more_than_rows_is_fitted_as_an_array(tmp_path, X, streamed):
    weight = 1.0 + np.arange(len(X)) % 2
    missing = X.copy()
    missing[::9, 2] = np.nan
    for name, rows, params in (("a", X, {"sample_weight": weight}), ("b", missing, {})):
        np.save(tmp_path / f"{name}.npy", rows)
        mapped = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        fits = [quick(max_epochs=2).fit(each, **params) for each in (rows, mapped)]
        np.testing.assert_array_equal(*(fit.model_.encode(X[:50]) for fit in fits))


def test_a_part_of_a_fit_takes_rows_in_memory(tmp_path, X, streamed):
    with pytest.raises(ValueError, match="partial_fit takes rows in memory"):
        quick().partial_fit(written(tmp_path, X, "npy"))


@pytest.mark.parametrize(
    "kind", [lambda X, path: path, lambda X, path: str(path), lambda X, path: [X[:50], X[50:]]]
)
def test_what_has_no_codes_in_memory_is_refused_before_a_fit(tmp_path, X, kind):
    path, autoencoder = tmp_path / "X.npy", quick()
    np.save(path, X)
    with pytest.raises(TypeError, match=r"fit_transform takes rows in memory.*transform_to"):
        autoencoder.fit_transform(kind(X, path))
    assert not hasattr(autoencoder, "model_")


def test_codes_of_a_map_are_returned(tmp_path, X, streamed):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert quick().fit_transform(mapped).shape == (len(X), 2)


def test_a_bad_block_leaves_the_fit_before(tmp_path, X, streamed):
    autoencoder = quick(max_epochs=2).fit(written(tmp_path, X, "npy"))
    before = autoencoder.transform(X[:50])
    spoilt = X.copy()
    spoilt[11_000, 3] = np.nan
    with pytest.raises(ValueError, match="first of them in row 11000"):
        autoencoder.fit([spoilt[:6000], spoilt[6000:]])
    np.testing.assert_array_equal(autoencoder.transform(X[:50]), before)


def test_a_constant_table_is_pca(tmp_path, streamed):
    np.save(tmp_path / "X.npy", np.ones((5000, 4)))
    assert quick(n_components=1).fit(tmp_path / "X.npy").is_pca_


def test_wide_tables_need_no_covariance(tmp_path, streamed, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.MAX_EXACT", 20)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3)) @ rng.normal(size=(3, 60)) + 0.1 * rng.normal(size=(3000, 60))
    np.save(tmp_path / "X.npy", X)
    assert quick(n_components=3, max_epochs=1).fit(tmp_path / "X.npy").score(X) > 0.99


def test_a_source_of_ones_own_is_fitted(streamed):
    autoencoder = quick(max_epochs=2).fit(Sines())
    assert autoencoder.n_features_in_ == 7


@pytest.fixture
def fitted(X):
    return quick(max_epochs=2).fit(X)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(writing, "BLOCK_BYTES", 2**14)


def read(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".zarr":
        return zarr.open_array(path, mode="r")[:]
    return pyarrow.parquet.read_table(path).to_pandas().to_numpy()


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize("suffix", [".npy", ".zarr", ".parquet"])
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples"])
def test_what_is_written_is_what_the_method_gives(
    tmp_path, fitted, X, small_blocks, suffix, method
):
    target = tmp_path / f"Z{suffix}"
    assert fitted.transform_to(written(tmp_path, X, "npy"), target, method=method) == target
    expected = getattr(fitted, method)(X)
    found = read(target)
    np.testing.assert_allclose(found, expected.reshape(len(X), -1), rtol=1e-5, atol=1e-6)
    assert found.dtype == expected.dtype
    assert not list(tmp_path.glob(".Z*"))


@pytest.mark.parametrize("kind", some(KINDS, {"npy", "parquet", "iterable"}))
def test_each_kind_of_table_is_transformed(tmp_path, fitted, X, small_blocks, kind):
    fitted.transform_to(written(tmp_path, X, kind), tmp_path / "Z.npy")
    found = np.load(tmp_path / "Z.npy")
    np.testing.assert_allclose(found, fitted.transform(X), rtol=1e-5, atol=1e-6)


def test_arrays_in_memory_and_missing_cells_are_transformed(tmp_path, fitted, X, small_blocks):
    X = X.copy()
    X[::7, 2] = np.nan
    fitted.transform_to(X, tmp_path / "Z.npy")
    np.testing.assert_allclose(
        np.load(tmp_path / "Z.npy"), fitted.transform(X), rtol=1e-4, atol=1e-5
    )


def test_columns_have_names(tmp_path, fitted, X):
    fitted.transform_to(X[:50], tmp_path / "Z.parquet")
    names = pyarrow.parquet.read_table(tmp_path / "Z.parquet").column_names
    assert names == [*fitted.get_feature_names_out()]


class Stopping:
    """A table whose reading stops at a row, as often as is wished."""

    n_rows, n_features = N_ROWS, 7

    def __init__(self, X, stop):
        self.X, self.stop, self.read_rows = X, stop, 0

    def read(self, rows):
        if rows.stop > self.stop:
            raise OSError("stopped")
        self.read_rows += rows.stop - rows.start
        return self.X[rows]


@pytest.mark.parametrize("suffix", [".npy", ".zarr", ".parquet"])
def test_what_was_stopped_goes_on(tmp_path, fitted, X, small_blocks, monkeypatch, suffix):
    monkeypatch.setattr("sk_autoencoder._sources.table.PIECE_BYTES", 2**13)
    target = tmp_path / f"Z{suffix}"
    with pytest.raises(ValueError, match="stopped"):
        fitted.transform_to(Stopping(X, 7000), target)
    assert not target.exists()
    again = Stopping(X, N_ROWS)
    fitted.transform_to(again, target)
    assert again.read_rows < N_ROWS - 5000
    np.testing.assert_allclose(read(target), fitted.transform(X), rtol=1e-5, atol=1e-6)


def test_what_another_fit_has_left_is_not_gone_on_with(tmp_path, fitted, X, small_blocks):
    target = tmp_path / "Z.npy"
    with pytest.raises(ValueError, match="stopped"):
        fitted.transform_to(Stopping(X, 7000), target)
    other = quick(max_epochs=2, random_state=1).fit(X)
    other.transform_to(X, target)
    np.testing.assert_allclose(np.load(target), other.transform(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"n_done": "x", "origin": 3}'])
def test_a_note_that_is_damaged_begins_anew(tmp_path, fitted, X, content):
    (tmp_path / ".Z.npy.part.json").write_bytes(content)
    (tmp_path / ".Z.npy.part").write_bytes(b"old")
    fitted.transform_to(X, tmp_path / "Z.npy")
    np.testing.assert_allclose(
        np.load(tmp_path / "Z.npy"), fitted.transform(X), rtol=1e-5, atol=1e-6
    )


def test_a_note_tells_how_far_it_is(tmp_path, fitted, X, small_blocks, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._sources.table.PIECE_BYTES", 2**13)
    with pytest.raises(ValueError, match="stopped"):
        fitted.transform_to(Stopping(X, 7000), tmp_path / "Z.npy")
    n_done = json.loads((tmp_path / ".Z.npy.part.json").read_bytes())["n_done"]
    assert 0 < n_done <= 7000


REFUSED = {
    "another width": (lambda X: X[:, :3], "Z.npy", {}, "3 features.*expecting 7"),
    "no known ending": (lambda X: X, "Z.csv", {}, "End it in .npy, .parquet or .zarr"),
    "no folder": (lambda X: X, "no/Z.npy", {}, "folder .* is not there"),
    "no method": (lambda X: X, "Z.npy", {"method": "predict"}, "none of 'transform'"),
    "an infinite cell": (
        lambda X: [np.where(X[3, 3] == X, np.inf, X)],
        "Z.npy",
        {},
        "infinite cells",
    ),
}


@pytest.mark.parametrize(("spoil", "name", "params", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused(tmp_path, fitted, X, spoil, name, params, message):
    with pytest.raises((ValueError, OSError), match=message):
        fitted.transform_to(spoil(X), tmp_path / name, **params)
    assert not (tmp_path / name).exists()


def test_what_is_there_is_left_alone(tmp_path, fitted, X):
    (tmp_path / "Z.npy").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="Remove it first"):
        fitted.transform_to(X, tmp_path / "Z.npy")
    assert (tmp_path / "Z.npy").read_bytes() == b"mine"


def test_columns_in_another_order_are_refused(tmp_path, X):
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    fitted = quick(max_epochs=1).fit(frame)
    frame[["b", "a", *"cdefg"]].to_parquet(tmp_path / "X.parquet")
    with pytest.raises(ValueError, match="not those of the fit, in their order"):
        fitted.transform_to(tmp_path / "X.parquet", tmp_path / "Z.npy")


def test_a_generator_is_told_to_be_none(X):
    with pytest.raises((TypeError, ValueError), match="an iterator"):
        quick().fit(block for block in [X])
    with pytest.raises((TypeError, ValueError), match="gone through once only"):
        quick().fit(Again(iter([X])))
