"""How a step of the training is made fast."""
