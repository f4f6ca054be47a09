"""``python -m ei_brian`` is ``ei-brian``."""

from ei_brian.cli.main import main

main()
