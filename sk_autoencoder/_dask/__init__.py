"""What is done on the workers of dask."""
