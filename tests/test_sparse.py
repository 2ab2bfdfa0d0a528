"""Sparse rows: the same results as of dense ones, and never dense as a whole."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder

from sk_autoencoder._nn.losses import find_loss
from sk_autoencoder._pca.centred_rows import DENSEST_SPARSE
from sk_autoencoder._validation import check_X

FORMATS = ("csr", "csc", "coo", "lil", "bsr", "dok", "dia")
KINDS = {
    f"{name}_{kind}": getattr(sparse, f"{name}_{kind}")
    for name in FORMATS
    for kind in ("matrix", "array")
}
SHAPES = {"narrow": (150, 40), "wide": (50, 120), "more than the axes": (300, 280)}
DENSITIES = {"sparse": 0.05, "half dense": 0.5}


def as_kind(kind, X):
    """Give rows in a sparse format, also by diagonals, where rows that have none are slow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sparse.SparseEfficiencyWarning)
        return kind(X)


def rows_of(shape, density=0.05, seed=0):
    """Rows that are mostly zero, of two kinds: dense, float64."""
    rng = np.random.RandomState(seed)
    X = rng.exponential(size=shape) * (rng.uniform(size=shape) < density)
    X[::2, : shape[1] // 2] *= 4
    X[0, 0] = 1.0
    return X


class Pair(torch.nn.Module):
    """A user's module of two linear maps, for 40 features."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(40, 2), torch.nn.Linear(2, 40)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# Few and small steps.
GENTLE = {"max_epochs": 2, "lr": 1e-4, "batch_size": 32}
# Few steps, of a fit that magnifies no rounding: it is some 1e-6 of codes as large as 30.
SMOOTH = {"max_epochs": 2, "batch_size": 32}
ROUNDING = 3e-4


@pytest.fixture
def sparse_X():
    return rows_of((150, 40))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_of_sparse_rows_is_taken_by_all_methods(smooth, sparse_X, kind):
    X = as_kind(kind, sparse_X)
    params = SMOOTH | {"early_stopping": False}
    dense, autoencoder = smooth(**params).fit(sparse_X), smooth(**params).fit(X)
    np.testing.assert_allclose(autoencoder.mean_, dense.mean_, atol=1e-14)
    for method in ("transform", "reconstruct", "reconstruction_error", "score_samples", "score"):
        given, expected = getattr(autoencoder, method)(X), getattr(dense, method)(sparse_X)
        assert isinstance(given, (np.ndarray, float))
        np.testing.assert_allclose(given, expected, atol=ROUNDING)
        # The one that is fitted takes both, for the same result.
        same = getattr(autoencoder, method)(sparse_X)
        np.testing.assert_allclose(given, same, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        smooth(**params).fit_transform(X), autoencoder.transform(X), atol=1e-12
    )


@pytest.mark.quick
@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_epochs_give_the_result_of_dense_rows(quick, shape, density, dtype):
    X = rows_of(shape, density).astype(dtype)
    assert (np.count_nonzero(X) > DENSEST_SPARSE * X.size) == (density == 0.5)
    dense, autoencoder = quick(max_epochs=0).fit(X), quick(max_epochs=0).fit(sparse.csr_array(X))
    atol = {np.float32: 5e-5, np.float64: 1e-9}[dtype]
    codes = autoencoder.transform(sparse.csr_array(X))
    assert codes.dtype == dtype
    np.testing.assert_allclose(codes, dense.transform(X), atol=atol)
    reconstruction = autoencoder.reconstruct(sparse.csr_array(X))
    assert reconstruction.dtype == dtype
    np.testing.assert_allclose(reconstruction, dense.reconstruct(X), atol=atol)
    losses = autoencoder.history_.drop(columns="dur")
    pd.testing.assert_frame_equal(losses, dense.history_.drop(columns="dur"), rtol=1e-6)


VARIANTS = {
    "defaults": {},
    "all rows": {"early_stopping": False},
    "textbook": {"linear_shortcut": False},
    "own module": {"module": Pair},
    "huber": {"loss": "huber"},
    "poisson": {"loss": "poisson"},
    "whitened": {"whiten": True},
}


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_training_gives_the_result_of_dense_rows(smooth, sparse_X, params, method, weighted):
    params = SMOOTH | params
    weight = np.random.RandomState(0).randint(0, 3, 150) if weighted else None
    X = sparse.csr_array(sparse_X)
    dense, autoencoder = smooth(**params), smooth(**params)
    for _ in range(2):
        getattr(dense, method)(sparse_X, sample_weight=weight)
        getattr(autoencoder, method)(X, sample_weight=weight)
    np.testing.assert_allclose(autoencoder.transform(X), dense.transform(sparse_X), atol=ROUNDING)
    pd.testing.assert_frame_equal(
        autoencoder.history_.drop(columns="dur"), dense.history_.drop(columns="dur"), rtol=1e-4
    )
    score = autoencoder.score(X, sample_weight=weight)
    assert score == pytest.approx(dense.score(sparse_X, sample_weight=weight), abs=1e-5)


WIDE = (300, 320)  # of 320 features the frame keeps 256 axes
WIDE_VARIANTS = {
    "defaults": {},
    "variational": {"variational": True},
    "noise": {"corruption": "gaussian"},
    "masking": {"corruption": "masking"},
    "swap": {"corruption": "swap"},
    "all rows": {"early_stopping": False},
    "nested": {"nested": True},
    "a share of the variance": {"nested": True, "n_components": 0.5},
    "textbook": {"linear_shortcut": False},
    "pretrained": {"linear_shortcut": False, "pretrain": "layerwise"},
    "whitened": {"whiten": True},
    "huber": {"loss": "huber"},
    "penalized": {"sparsity_penalty": 0.1, "contractive_penalty": 0.1},
}
METHODS = ("transform", "reconstruct", "reconstruction_error", "score_samples", "score")


def assert_same_results(given, X_given, expected, X_expected, **tolerance):
    """Check that two estimators give the same for their containers of the same rows."""
    for method in METHODS:
        np.testing.assert_allclose(
            getattr(given, method)(X_given), getattr(expected, method)(X_expected), **tolerance
        )


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_each_kind_of_wide_sparse_rows_is_that_of_csr_arrays(quick, kind, method):
    dense = rows_of(WIDE)
    X, expected = as_kind(kind, dense), getattr(quick(**GENTLE), method)(sparse.csr_array(dense))
    autoencoder = getattr(quick(**GENTLE), method)(X)
    assert_same_results(autoencoder, X, expected, sparse.csr_array(dense), rtol=1e-12, atol=1e-12)
    assert_same_results(autoencoder, X, autoencoder, dense, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint16, np.float32, np.float64])
def test_wide_sparse_matrices_of_each_dtype_are_dense_rows(quick, dtype):
    X = sparse.csr_matrix(np.ceil(rows_of(WIDE)).astype(dtype))
    dense = X.toarray()
    autoencoder, expected = quick(max_epochs=0).fit(X), quick(max_epochs=0).fit(dense)
    assert autoencoder.transform(X).dtype == (np.float32 if dtype == np.float32 else np.float64)
    rtol = 1e-3 if dtype == np.float32 else 1e-9
    assert_same_results(autoencoder, X, expected, dense, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_wide_sparse_matrices_share_what_they_store(quick, index_dtype):
    X = sparse.csr_matrix(rows_of(WIDE))
    X.indices, X.indptr = X.indices.astype(index_dtype), X.indptr.astype(index_dtype)
    checked, _ = check_X(quick().fit(X), X, find_loss("squared_error"), reset=False)
    assert type(checked) is sparse.csr_array
    assert np.shares_memory(checked.data, X.data)
    assert np.shares_memory(checked.indices, X.indices)
    assert quick(**GENTLE).fit_transform(X).shape == (300, 2)


@pytest.mark.slow
@pytest.mark.parametrize("params", WIDE_VARIANTS.values(), ids=WIDE_VARIANTS)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_wide_sparse_matrices_train_as_csr_arrays(quick, params, weighted):
    params = GENTLE | params
    weight = np.random.RandomState(0).randint(0, 3, WIDE[0]) if weighted else None
    array = sparse.csr_array(rows_of(WIDE))
    matrix = sparse.csr_matrix(array)
    expected = quick(**params).fit(array, sample_weight=weight)
    autoencoder = quick(**params).fit(matrix, sample_weight=weight)
    assert_same_results(autoencoder, matrix, expected, array, rtol=1e-12, atol=1e-12)
    assert_same_results(autoencoder, matrix, autoencoder, array.toarray(), rtol=1e-7, atol=1e-7)
    assert autoencoder.score(matrix, sample_weight=weight) == pytest.approx(
        expected.score(array, sample_weight=weight)
    )


def test_a_wide_data_frame_of_sparse_columns_is_taken(quick):
    X = rows_of(WIDE)
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X))
    frame.columns = [f"c{i}" for i in range(WIDE[1])]
    autoencoder = quick(**GENTLE).fit(frame)
    expected = quick(**GENTLE).fit(sparse.csr_array(X))
    assert_same_results(autoencoder, frame, expected, sparse.csr_array(X), rtol=1e-12, atol=1e-12)


TOPICS = {
    "sea": ["ship", "sail", "harbour", "captain", "wave", "deck", "anchor", "island"],
    "kitchen": ["salt", "oven", "butter", "recipe", "flour", "spoon", "onion", "sauce"],
}


def documents(n_documents, seed=0):
    """Texts of words of one of two topics, among 400 other words, and the topic of each."""
    rng = np.random.RandomState(seed)
    others = [f"word{i}" for i in range(400)]
    topics = rng.choice(list(TOPICS), n_documents)
    texts = [" ".join([*rng.choice(TOPICS[t], 6), *rng.choice(others, 12)]) for t in topics]
    return texts, topics


def test_text_is_classified_from_codes_in_a_pipeline(quick):
    texts, topics = documents(400)
    pipeline = make_pipeline(TfidfVectorizer(), quick(4), LogisticRegression(C=100))
    pipeline.fit(texts, topics)
    assert len(pipeline[0].vocabulary_) > 400
    new_texts, new_topics = documents(200, seed=1)
    assert pipeline.score(new_texts, new_topics) > 0.95


def test_many_categories_are_encoded_in_a_pipeline(quick):
    rng = np.random.RandomState(0)
    table = np.column_stack([rng.randint(0, 200, 600), rng.randint(0, 200, 600)])
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), quick(3, **GENTLE))
    assert pipeline.fit_transform(table).shape == (600, 3)
    assert np.isfinite(pipeline.score(table))


@pytest.mark.quick
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_outside_of_the_axes_are_those_of_dense_rows(smooth, dtype):
    X = rows_of((300, 400)).astype(dtype)
    dense, autoencoder = smooth(**SMOOTH).fit(X), smooth(**SMOOTH).fit(sparse.csr_array(X))
    # 200 training rows have fewer axes than there are features, so that validation rows leave them.
    pd.testing.assert_frame_equal(
        autoencoder.history_.drop(columns="dur"), dense.history_.drop(columns="dur"), rtol=1e-4
    )


@pytest.mark.quick
def test_training_lowers_the_loss_on_sparse_rows(quick):
    X = sparse.csr_array(rows_of((300, 280)))
    losses = quick(8, early_stopping=False, max_epochs=20, lr=3e-3).fit(X).history_["train_loss"]
    assert losses.iloc[-1] < 0.9 * losses[0]


@pytest.mark.quick
def test_rows_that_are_not_kept_train_alike(smooth, sparse_X, monkeypatch):
    X = sparse.csr_array(sparse_X)
    params = SMOOTH | {"early_stopping": False}
    kept = smooth(**params).fit(X)
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", 0)
    codes = smooth(**params).fit(X).transform(X)
    np.testing.assert_allclose(codes, kept.transform(X), atol=ROUNDING)


@pytest.fixture
def made_dense(monkeypatch):
    """Give a list of the shapes of what is made dense."""
    shapes = []
    toarray = sparse.csr_array.toarray

    def counted(self, *args, **kwargs):
        shapes.append(self.shape)
        return toarray(self, *args, **kwargs)

    monkeypatch.setattr(sparse.csr_array, "toarray", counted)
    monkeypatch.setattr(sparse.csr_array, "todense", None)
    return shapes


LARGE = (400, 500)


@pytest.mark.parametrize("params", [{}, {"loss": "huber"}, {"linear_shortcut": False}], ids=str)
def test_only_a_few_rows_at_a_time_are_made_dense(quick, made_dense, monkeypatch, params):
    monkeypatch.setattr("sk_autoencoder._utils.blocks.BLOCK_ROWS", 16)
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", 0)
    X = sparse.csr_array(rows_of(LARGE, 0.01))
    autoencoder = quick(hidden_layer_sizes=(4,), **(GENTLE | params)).fit(X)
    autoencoder.transform(X)
    autoencoder.score(X)
    autoencoder.reconstruction_error(X)
    n_rows = [n_rows for n_rows, n_columns in made_dense if n_columns == LARGE[1]]
    assert 0 < max(n_rows) <= GENTLE["batch_size"]


@pytest.mark.quick
def test_the_default_loss_makes_no_row_dense_in_training(quick, made_dense):
    X = sparse.csr_array(rows_of((300, 400), 0.01))
    autoencoder = quick(hidden_layer_sizes=(4,), **GENTLE).fit(X)
    autoencoder.transform(X)
    assert not [shape for shape in made_dense if shape[1] == 400]


MEMORY = """
import resource, sys
import numpy as np
from scipy import sparse
from sk_autoencoder import AutoencoderTransformer

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if on_mac else 2**10)

on_mac = sys.platform == "darwin"
small = sparse.random_array((300, 300), density=0.01, format="csr", rng=np.random.default_rng(0))
params = {"max_epochs": 1, "hidden_layer_sizes": (16,), "random_state": 0}
AutoencoderTransformer(8, **params).fit(small)
X = sparse.random_array((20_000, 5_000), density=0.001, format="csr", rng=np.random.default_rng(0))
before = peak()
AutoencoderTransformer(8, **params).fit(X).transform(X)
print(peak() - before)
"""


@pytest.mark.slow
def test_a_fit_takes_much_less_memory_than_the_dense_rows():
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=600
    )
    megabytes = float(run.stdout)
    assert megabytes < 350, "as dense float64 the rows have 763 MB"


def test_cells_stored_twice_count_as_their_sum(quick):
    X = sparse.csr_array(rows_of((60, 120), 0.02))
    twice = sparse.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape
    )
    stored = twice.data.copy()
    given, expected = quick(max_epochs=0).fit(twice), quick(max_epochs=0).fit(X)
    pd.testing.assert_frame_equal(
        given.history_.drop(columns="dur"), expected.history_.drop(columns="dur")
    )
    np.testing.assert_allclose(given.transform(twice), expected.transform(X), atol=1e-12)
    np.testing.assert_array_equal(twice.data, stored)
    twice.data *= 1.5 / twice.data.max()
    with pytest.raises(ValueError, match=r"X between 0 and 1.*to 3"):
        quick(loss="binary_crossentropy").fit(twice)


def test_zeros_that_are_stored_are_zeros(quick, sparse_X):
    X = sparse.csr_array(np.where(sparse_X == 0, -1.0, sparse_X))
    X.data[X.data == -1] = 0
    np.testing.assert_allclose(
        quick(max_epochs=0).fit(X).transform(X),
        quick(max_epochs=0).fit(sparse_X).transform(sparse_X),
        atol=1e-10,
    )


def test_the_sparse_rows_given_are_not_changed(quick, sparse_X):
    X = sparse.csr_array(sparse_X)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    before = X.copy()
    quick(**GENTLE).fit(X).partial_fit(X).transform(X)
    np.testing.assert_array_equal(X.toarray(), before.toarray())


def test_rows_without_anything_stored_are_rows_of_zeros(quick, sparse_X):
    sparse_X[3:9] = 0
    autoencoder = quick(max_epochs=0).fit(sparse.csr_array(sparse_X))
    codes = autoencoder.transform(sparse.csr_array((2, 40)))
    np.testing.assert_allclose(codes, autoencoder.transform(np.zeros((2, 40))), atol=1e-12)


def test_a_table_with_nothing_stored_is_reconstructed(quick):
    X = sparse.csr_array((30, 40))
    autoencoder = quick().fit(X)
    np.testing.assert_array_equal(autoencoder.reconstruct(X), np.zeros((30, 40)))
    assert autoencoder.score(X) == 1


def test_whole_numbers_become_float64(quick, sparse_X):
    X = sparse.csr_array(np.round(sparse_X).astype(np.int32))
    assert quick(**GENTLE).fit_transform(X).dtype == np.float64


def test_a_data_frame_of_sparse_columns_is_taken(quick, sparse_X):
    frame = pd.DataFrame(
        {
            f"c{i}": pd.arrays.SparseArray(column, fill_value=0.0)
            for i, column in enumerate(sparse_X.T)
        }
    )
    autoencoder = quick(max_epochs=0).fit(frame)
    assert list(autoencoder.feature_names_in_) == list(frame.columns)
    expected = quick(max_epochs=0).fit_transform(sparse.csr_array(sparse_X))
    np.testing.assert_allclose(autoencoder.transform(frame), expected, atol=1e-12)
    frame["c3"] = pd.arrays.SparseArray(np.r_[np.nan, sparse_X[1:, 3]], fill_value=0.0)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        quick().fit(frame)


@pytest.mark.parametrize(
    "method", ["transform", "reconstruct", "score", "reconstruction_error", "partial_fit"]
)
def test_sparse_rows_of_another_width_are_refused(quick, sparse_X, method):
    autoencoder = quick(**GENTLE).fit(sparse.csr_array(sparse_X))
    with pytest.raises(ValueError, match=r"X has 39 features.*expecting 40 features"):
        getattr(autoencoder, method)(sparse.csr_array(sparse_X[:, :39]))


@pytest.mark.parametrize("loss", ["binary_crossentropy", "poisson"])
def test_the_domain_of_a_loss_holds_for_what_is_stored(quick, sparse_X, loss):
    with pytest.raises(ValueError, match=f"loss='{loss}' needs X between 0"):
        quick(loss=loss).fit(sparse.csr_array(-sparse_X))


def test_a_pipeline_of_sparse_steps_trains(quick, sparse_X):
    X = sparse.csr_array(sparse_X)
    pipeline = make_pipeline(MaxAbsScaler(), quick(**GENTLE)).set_output(transform="default")
    assert pipeline.fit_transform(X).shape == (150, 2)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_holds_for_sparse_rows(quick, sparse_X, container):
    autoencoder = quick(**GENTLE).set_output(transform=container).fit(sparse.csr_array(sparse_X))
    codes = autoencoder.transform(sparse.csr_array(sparse_X))
    assert list(codes.columns) == ["autoencodertransformer0", "autoencodertransformer1"]
    assert autoencoder.reconstruct(sparse.csr_array(sparse_X)).shape == (150, 40)
