"""How good a result is: plain arrays in, numbers out."""
