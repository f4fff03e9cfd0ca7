"""From one framework's form of a model to another's."""
