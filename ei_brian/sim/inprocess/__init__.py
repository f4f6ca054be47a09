"""Compiled loops inside this process, for fitting cells: the text of the catalogue as C++, in single precision."""
