"""What stays of a training: the fitted autoencoder."""
