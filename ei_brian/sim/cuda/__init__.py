"""Compiled programs for a GPU, through Brian2CUDA."""
