"""Tables that are larger than memory: where they lie, and how they are read a block at a time."""
