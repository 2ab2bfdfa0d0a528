"""The types that skops is told to trust: the estimators, of which all else is numbers and texts."""

TRUSTED_TYPES = [
    "sk_autoencoder._outlier.AutoencoderOutlierDetector",
    "sk_autoencoder._transformer.AutoencoderTransformer",
    "sk_autoencoder._variational.VariationalAutoencoderTransformer",
]
