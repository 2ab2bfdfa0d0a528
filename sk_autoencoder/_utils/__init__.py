"""What the other rooms share: arrays, threads, sizes, copies."""
