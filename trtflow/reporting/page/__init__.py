"""Reports as pages for people: all samples, one sample, two runs. Each is one file that asks for no other."""
