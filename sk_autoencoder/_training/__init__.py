"""From data and a configuration to a fitted autoencoder."""
