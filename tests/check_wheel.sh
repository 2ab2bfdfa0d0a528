#!/bin/sh
# Install the built wheel into a clean environment, and use it there.
set -eu
root=$(pwd)
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
"${PYTHON:-python3.11}" -m venv "$clean/venv"
"$clean/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-compile --constraint "$root/constraints.txt" "$root"/dist/*.whl
cd "$clean"
"$clean/venv/bin/python" -c "
import numpy as np
import sk_autoencoder
X = np.random.RandomState(0).rand(100, 5)
model = sk_autoencoder.AutoencoderTransformer(2, max_epochs=2, random_state=0)
assert model.fit_transform(X).shape == (100, 2)
print('sk_autoencoder', sk_autoencoder.__version__, 'works from its wheel')
"
printf 'a;b;c\n' > data.csv
for i in 1 2 3 4 5 6 7 8 9; do printf '0,%s;1,%s;2\n' $i $((i * i)) >> data.csv; done
"$clean/venv/bin/sk-autoencoder" compare data.csv --max-epochs 1 --save model.joblib
test -s model.joblib
