"""Networks to train, one module a family."""
