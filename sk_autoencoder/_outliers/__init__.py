"""Outliers: the nearest references of rows, and the threshold of their scores."""
