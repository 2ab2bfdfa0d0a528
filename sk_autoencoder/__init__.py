"""A drop-in replacement for PCA: a stacked autoencoder that starts at PCA."""

from sk_autoencoder._transformer import AutoencoderTransformer

__all__ = ["AutoencoderTransformer"]
__version__ = "0.1.0"
