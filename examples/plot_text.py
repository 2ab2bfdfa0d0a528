"""
Text as codes of two numbers
============================

``TfidfVectorizer`` makes sparse rows of texts, as wide as their vocabulary. The autoencoder takes
these as they are: they are never made dense as a whole. For text ``TruncatedSVD`` stands where
``PCA`` does (latent semantic analysis). Its two components are two directions, along which a few
topics can lie; a surface that bends has room for all of them.
"""

# %%
# 2000 notices, made up: each is about one of eight topics, of whose words it has nine, beside
# eleven that any notice may have. Half of them are held out.
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sk_autoencoder import AutoencoderTransformer, CodesDisplay

TOPICS = {
    "sailing": "harbour sail mast deck anchor tide skipper rudder knot buoy regatta keel",
    "baking": "flour oven dough yeast crust butter loaf sugar recipe rye whisk tin",
    "football": "goal referee striker pitch penalty keeper league coach corner offside kick squad",
    "gardening": "seed soil compost rose pruning spade bulb hedge lawn weed tulip rake",
    "music": "violin concert choir tenor piano rehearsal rhythm melody cello drum score opera",
    "cycling": "saddle gear brake chain spoke helmet pedal sprint tyre handlebar climb frame",
    "painting": "canvas brush easel oil portrait gallery pigment sketch studio palette mural",
    "astronomy": "comet telescope orbit planet galaxy eclipse lens crater nebula meteor star moon",
}
COMMON = [
    "".join(parts) for parts in product("bdfgklmnprstvz", "aeiou", ("da", "ne", "ro", "li", "to"))
]


def make_notices(n_notices, rng):
    """Give texts, and the topic of each."""
    topics = rng.choice(list(TOPICS), n_notices)
    texts = [
        " ".join([*rng.choice(TOPICS[topic].split(), 9), *rng.choice(COMMON, 11)])
        for topic in topics
    ]
    return texts, topics


texts, topics = make_notices(2000, np.random.RandomState(0))
print(topics[0], "-", texts[0])
texts_train, texts_test, y_train, y_test = train_test_split(
    texts, topics, test_size=0.5, stratify=topics, random_state=0
)

# %%
# Both make two numbers of a text. What is left of the topic in these, nearest neighbours tell.
autoencoder = AutoencoderTransformer(2, random_state=0)
pipelines = {
    name: make_pipeline(TfidfVectorizer(), reducer, KNeighborsClassifier(15)).fit(
        texts_train, y_train
    )
    for name, reducer in {"TruncatedSVD": TruncatedSVD(2), "autoencoder": autoencoder}.items()
}
X_test = pipelines["autoencoder"][0].transform(texts_test)
print(f"{X_test.shape[1]} words, {X_test.nnz / X_test.shape[0]:.0f} of them in a text")
accuracy = {name: pipeline.score(texts_test, y_test) for name, pipeline in pipelines.items()}
for name, share in accuracy.items():
    print(f"{name}: topic of {share:.1%} of the new texts")

# %%
# The codes of the texts that were held out, each in the colour of its topic.
fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, (name, pipeline) in zip(axes, pipelines.items(), strict=True):
    display = CodesDisplay.from_estimator(pipeline[:-1], texts_test, y_test, ax=ax)
    ax.set_title(f"{name}, topics told of {accuracy[name]:.0%}")
    if name == "TruncatedSVD":
        display.legend_.remove()
fig.suptitle("New texts as codes of two numbers")
plt.show()
