"""Quality against PCA and the textbook stack; run by hand, not by the tests."""
