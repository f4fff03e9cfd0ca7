"""Where what a sample of the user's own is stands, beside its model: written by `adoption`, read by its sample."""

NAME = "sample.json"
