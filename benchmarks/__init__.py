"""Quality against PCA and the textbook stack, speed, and a fuzzer, which the tests run too."""
