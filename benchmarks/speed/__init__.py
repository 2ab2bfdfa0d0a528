"""Speed against PyTorch written by hand and other libraries: `python -m benchmarks.speed`."""
