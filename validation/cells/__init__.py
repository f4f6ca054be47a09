"""Cells of one's own against plain Brian2."""
