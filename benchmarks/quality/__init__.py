"""How good the autoencoder is: its errors beside those of PCA, and of others."""
