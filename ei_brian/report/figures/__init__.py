"""One figure a file: a function that takes numbers and returns how to draw them."""
