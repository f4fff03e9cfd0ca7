"""What is where on a picture."""
