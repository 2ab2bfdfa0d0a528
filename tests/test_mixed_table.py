"""Numbers, categories and dates with missing cells: through encoders to codes, and back."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

ORIGIN = pd.Timestamp("2025-01-01")
KINDS = ["low", "middle", "high"]
PLACES = ["north", "south"]


def mixed_table(n_samples, seed=0):
    """Rows that follow from two factors, in columns of five dtypes, without missing cells."""
    rng = np.random.RandomState(seed)
    u, v = rng.uniform(size=(2, n_samples))
    columns = {
        "date": ORIGIN + pd.to_timedelta(np.rint(100 * u), unit="D"),
        "warmth": 10 + 15 * np.sin(np.pi * u),
        "price": 50 + 200 * v**2,
        "guests": pd.array(np.rint(1 + 5 * v), dtype="Int64"),
        "kind": pd.Categorical.from_codes((3 * v).astype(int), KINDS, ordered=True),
        "place": np.array(PLACES, dtype=object)[(u > 0.6).astype(int)],
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(n_samples) + 1000)


def with_missing(table, seed=0):
    return table.mask(np.random.RandomState(seed).uniform(size=table.shape) < 0.2)


def dates_to_days(dates):
    return (dates - ORIGIN) / pd.Timedelta(days=1)


def days_to_dates(days):
    return ORIGIN.to_datetime64() + np.rint(days).astype("timedelta64[D]")


def zeros_to_missing(indicators):
    return np.where(indicators.any(axis=1, keepdims=True), indicators, np.nan)


def make_encoders():
    days = FunctionTransformer(dates_to_days, days_to_dates, check_inverse=False)
    one_hot = {
        name: OneHotEncoder(categories=[known], handle_unknown="ignore", sparse_output=False)
        for name, known in {"kind": KINDS, "place": PLACES}.items()
    }
    return ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["warmth", "price", "guests"]),
            ("dates", make_pipeline(days, StandardScaler()), ["date"]),
        ]
        + [
            (name, make_pipeline(encoder, FunctionTransformer(zeros_to_missing)), [name])
            for name, encoder in one_hot.items()
        ]
    )


def to_table(encoders, features, like):
    columns = {}
    for name, encoder, names in encoders.transformers_:
        block = encoder.inverse_transform(features[:, encoders.output_indices_[name]])
        columns |= dict(zip(names, block.T, strict=True))
    columns["guests"] = np.rint(columns["guests"])
    return pd.DataFrame(columns, index=like.index)[like.columns].astype(like.dtypes)


@pytest.fixture
def pipeline(quick):
    autoencoder = quick(2, batch_size=16, max_epochs=20)
    return make_pipeline(make_encoders(), autoencoder).fit(with_missing(mixed_table(300)))


def there_and_back(pipeline, table):
    encoders, autoencoder = pipeline
    return to_table(encoders, autoencoder.inverse_transform(pipeline.transform(table)), table)


def test_a_mixed_table_comes_back_whole(pipeline):
    table = mixed_table(400, seed=1)
    incomplete = with_missing(table, seed=1)
    back = there_and_back(pipeline, incomplete)
    assert back.dtypes.equals(table.dtypes)
    assert back.index.equals(table.index)
    assert list(back) == list(table)
    assert incomplete.isna().any().all()
    assert not back.isna().any(axis=None)
    # Each column has what the known cells hold, and not what the rows have on average.
    for name in ("date", "warmth", "price", "guests"):
        assert np.corrcoef(to_numbers(back[name]), to_numbers(table[name]))[0, 1] > 0.8
    assert (back["kind"] == table["kind"]).mean() > 0.8
    assert (back["place"] == table["place"]).mean() > 0.8


def test_missing_cells_of_a_mixed_table_are_filled_better_than_by_means(pipeline):
    table = mixed_table(300, seed=1)
    incomplete = with_missing(table, seed=1)
    filled = incomplete.fillna(there_and_back(pipeline, incomplete))
    means = np.nanmean(pipeline[0].transform(incomplete), axis=0)
    of_means = to_table(pipeline[0], np.tile(means, (len(incomplete), 1)), incomplete)
    for name in table:
        unknown = incomplete[name].isna()
        truth, guess, mean = (t.loc[unknown, name] for t in (table, filled, of_means))
        if name in ("kind", "place"):
            assert (guess != truth).mean() < 0.7 * (mean != truth).mean()
        else:
            error, error_of_mean = (
                np.abs(to_numbers(x) - to_numbers(truth)).mean() for x in (guess, mean)
            )
            assert error < 0.8 * error_of_mean


def test_a_category_never_seen_is_a_gap(pipeline):
    table = mixed_table(20, seed=1)
    missing = table.assign(place=table["place"].mask(table["place"].notna()))
    new = table.assign(place="east")
    assert np.isnan(pipeline[0].transform(new)[:, pipeline[0].output_indices_["place"]]).all()
    np.testing.assert_array_equal(pipeline.transform(missing), pipeline.transform(new))
    assert set(there_and_back(pipeline, new)["place"]) == set(PLACES)


def to_numbers(column):
    """Give numbers, and dates as days."""
    if column.dtype.kind == "M":
        column = dates_to_days(column)
    return column.to_numpy(dtype=float)
