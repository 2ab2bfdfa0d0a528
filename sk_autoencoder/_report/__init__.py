"""A comparison with PCA as a page: its numbers, its figures, its words."""
