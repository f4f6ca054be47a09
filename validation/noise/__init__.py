"""Whether the levels of noise are what they say, in every cell."""
