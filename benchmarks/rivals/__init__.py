"""AutoencoderTransformer and what else reduces and reconstructs, on held-out rows."""
