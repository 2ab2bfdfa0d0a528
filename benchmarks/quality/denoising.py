"""Noise taken off Fashion-MNIST: PCA and the denoising autoencoder, fitted on 60,000 images.

    python -m benchmarks.quality.denoising [--seeds 0 1 2] [--sigma 0.3] [--n-components 64]

Pixels from 0 to 1, normal noise of standard deviation sigma on the 10,000 test images, what is
made of them clipped to [0, 1], and its peak signal-to-noise ratio: minus 10 times the logarithm
of the mean squared error from the clean images. PCA is fitted on clean images, as its better
case, and told at each number of components; the autoencoder has default parameters beside its
corruption. The exit code is 1 where the mean over the seeds is not ahead of PCA's best by the
bar.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.machine import describe
from benchmarks.quality.arguments import parser_of
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

SIZES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256)
BAR = 1.9  # dB


def psnr(images: np.ndarray, clean: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of images clipped to [0, 1]."""
    error = np.square(np.clip(images, 0, 1) - clean, dtype=np.float64).mean()
    return float(-10 * np.log10(error))


def by_pca(train: np.ndarray, noisy: np.ndarray, clean: np.ndarray) -> dict[int, float]:
    """Ratios of PCA, by its number of components."""
    pca = PCA(max(SIZES), random_state=0).fit(train)
    codes = pca.transform(noisy)
    return {k: psnr(codes[:, :k] @ pca.components_[:k] + pca.mean_, clean) for k in SIZES}


def main() -> int:
    parser = parser_of(__doc__, [0, 1, 2])
    parser.add_argument("--n-components", type=int, default=64)
    parser.add_argument("--sigma", type=float, default=0.3)
    options = parser.parse_args()

    (train, _), (test, _) = load_fashion_mnist("train"), load_fashion_mnist("test")
    noise = np.random.RandomState(0).standard_normal(test.shape)
    noisy = test + (options.sigma * noise).astype(np.float32)
    print(describe())
    print(f"noisy images: {psnr(noisy, test):.2f} dB")
    of_pca = by_pca(train, noisy, test)
    for k, ratio in of_pca.items():
        print(f"PCA, {k} components: {ratio:.2f} dB")
    ratios = []
    for seed in options.seeds:
        began = time.perf_counter()
        model = AutoencoderTransformer(
            options.n_components,
            corruption="gaussian",
            corruption_level=options.sigma,
            random_state=seed,
        ).fit(train)
        seconds = time.perf_counter() - began
        ratios.append(psnr(model.reconstruct(noisy), test))
        print(
            f"autoencoder, {options.n_components} components, seed {seed}: {ratios[-1]:.2f} dB, "
            f"{len(model.history_) - 1} epochs, {seconds:.1f} s",
            flush=True,
        )
    gain = statistics.mean(ratios) - max(of_pca.values())
    print(f"ahead of PCA's best by {gain:.2f} dB; bar {BAR} dB")
    return int(gain < BAR)


if __name__ == "__main__":
    sys.exit(main())
