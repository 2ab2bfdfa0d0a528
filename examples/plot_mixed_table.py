"""
A table of numbers, categories and dates, with missing cells
============================================================

A raw DataFrame becomes codes, and comes back from them with its columns, dtypes, categories and
dates, as near as two numbers a row can tell, and with its missing cells imputed. What encodes the
columns are scikit-learn's own transformers in a ``ColumnTransformer``; the autoencoder
takes NaN as it is.
"""

# %%
# 2000 bookings of flats by a lake, made up. Nearly all of a booking follows from two things: the
# day of the season, and how much comfort the guests want.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sk_autoencoder import AutoencoderTransformer

OPENING = pd.Timestamp("2025-04-01")
ACTIVITIES = ["cycling", "swimming", "hiking"]
BOARDS = ["none", "breakfast", "half board", "full board"]


def make_bookings(n_bookings, rng):
    """Give a table without missing cells."""
    day, comfort = rng.randint(200, size=n_bookings), rng.uniform(size=n_bookings)
    noise = rng.standard_normal((6, n_bookings))
    summer = np.sin(np.pi * day / 200)  # 1 in the middle of the season
    activity = np.digitize(day + 8 * noise[0], [65, 135])
    board = np.clip(4 * comfort + 0.3 * noise[1], 0, 3.99)
    bookings = {
        "arrival": OPENING + pd.to_timedelta(day, unit="D"),
        "temperature": (8 + 16 * summer + noise[2]).round(1),  # °C
        "price": ((60 + 140 * comfort**2) * (1 + 0.4 * summer) + 6 * noise[3]).round(2),  # EUR
        "area": 25 + 70 * comfort + 4 * noise[4],  # m²
        "guests": pd.array(np.rint(1.5 + 4 * comfort + 0.4 * noise[5]), dtype="Int64"),
        "activity": np.array(ACTIVITIES, dtype=object)[activity],
        "board": pd.Categorical.from_codes(board.astype(int), BOARDS, ordered=True),
    }
    return pd.DataFrame(bookings)


rng = np.random.RandomState(0)
bookings = make_bookings(2000, rng)
missing = rng.uniform(size=bookings.shape) < 0.2  # a fifth of the cells, in all columns
table = bookings.mask(missing)
train, test = table[:-500], table[-500:]
print(test.head())
print(test.dtypes)


# %%
# Each column becomes numbers, and what is unknown becomes NaN. A date becomes the days since the
# opening. ``OneHotEncoder``, given the categories, makes a row of zeros of a missing one, or of one
# that is not among them; ``zeros_to_missing`` makes NaN of these rows, else they would count as
# known.
def dates_to_days(dates):
    return (dates - OPENING) / pd.Timedelta(days=1)


def days_to_dates(days):
    return OPENING.to_datetime64() + np.rint(days).astype("timedelta64[D]")


def zeros_to_missing(indicators):
    return np.where(indicators.any(axis=1, keepdims=True), indicators, np.nan)


def one_hot(categories):
    encoder = OneHotEncoder(categories=[categories], handle_unknown="ignore", sparse_output=False)
    return make_pipeline(encoder, FunctionTransformer(zeros_to_missing))


to_days = FunctionTransformer(dates_to_days, days_to_dates, check_inverse=False)
encoders = ColumnTransformer(
    [
        ("dates", make_pipeline(to_days, StandardScaler()), ["arrival"]),
        ("numbers", StandardScaler(), ["temperature", "price", "area", "guests"]),
        ("activity", one_hot(ACTIVITIES), ["activity"]),
        ("board", one_hot(BOARDS), ["board"]),
    ]
)
autoencoder = AutoencoderTransformer(2, random_state=0)
pipeline = make_pipeline(encoders, autoencoder).fit(train)
codes = pipeline.transform(test)
print(f"{test.shape[1]} columns, {autoencoder.n_features_in_} features, codes {codes.shape}")


# %%
# The way back: the autoencoder gives features, and each fitted encoder gives its columns from its
# part of them. ``OneHotEncoder`` takes the category with the largest value.
def to_table(features, like):
    """Give the columns of `like`, in its dtypes, from the features of its rows."""
    columns = {}
    for name, encoder, names in encoders.transformers_:
        block = encoder.inverse_transform(features[:, encoders.output_indices_[name]])
        columns |= dict(zip(names, block.T, strict=True))
    columns["guests"] = np.rint(columns["guests"])
    return pd.DataFrame(columns, index=like.index)[like.columns].astype(like.dtypes)


back = to_table(autoencoder.inverse_transform(codes), test)
filled = test.fillna(back)
assert filled.dtypes.equals(bookings.dtypes)
print(filled.head())

# %%
# How far off are the cells that were taken out of the test rows, on which nothing was fitted? PCA
# needs its missing cells filled by means. Mean features, taken back to a table, are the means of
# numbers and of dates, and the most frequent category.
features_train, features = encoders.transform(train), encoders.transform(test)
pca = make_pipeline(SimpleImputer(), PCA(2)).fit(features_train)
means = np.tile(np.nanmean(features_train, axis=0), (len(test), 1))
tables = {
    "means": to_table(means, test),
    "PCA": to_table(pca[-1].inverse_transform(pca.transform(features)), test),
    "autoencoder": back,
}


def error(truth, guess):
    """Give the mean error of a column: in days, in its unit, or the share of wrong categories."""
    if pd.api.types.is_datetime64_dtype(truth):
        return (truth - guess).dt.days.abs().mean()
    if pd.api.types.is_numeric_dtype(truth):
        return (truth - guess).abs().mean()
    return (truth != guess).mean()


truth = bookings.loc[test.index]
errors = pd.DataFrame(
    {
        method: {
            name: error(truth.loc[test[name].isna(), name], guess.loc[test[name].isna(), name])
            for name in test
        }
        for method, guess in tables.items()
    }
)
print(errors.round(2))

# %%
# On the left the codes of the test rows, whose cells may be missing: the day of the season and the
# comfort.
# On the right the errors of the missing cells, as shares of those of the means.
fig, (ax_codes, ax_errors) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
day = (truth["arrival"] - OPENING).dt.days
points = ax_codes.scatter(*codes.T, s=5 + 25 * truth["board"].cat.codes, c=day, cmap="viridis")
fig.colorbar(points, ax=ax_codes, label="day of the season")
ax_codes.set_title("codes of new rows; larger with more board")
ax_codes.set(xlabel="component 0", ylabel="component 1")
relative = errors[["PCA", "autoencoder"]].div(errors["means"], axis=0)
relative[::-1].plot.barh(ax=ax_errors, color=["slategrey", "darkorange"], width=0.7)
ax_errors.axvline(1, color="black", linestyle=":", label="means")
ax_errors.set(title="error of the missing cells, as a share of that of means", xlim=(0, 1.4))
ax_errors.legend(loc="lower right")
plt.show()
