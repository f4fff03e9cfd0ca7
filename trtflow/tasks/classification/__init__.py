"""Which class a picture, or whatever else, is of."""
