"""Quality against PCA and the textbook stack, speed, and a fuzzer; run by hand, the last by a test too."""
