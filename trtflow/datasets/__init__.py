"""Data sets: readers of what is downloaded, makers of what is not."""
