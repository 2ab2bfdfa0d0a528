"""PCA in NumPy alone: principal axes of weighted, sparse, many or incomplete rows."""
