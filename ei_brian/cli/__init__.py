"""The command ``ei-brian``.

One file per verb: it holds a function ``command`` whose docstring is the help text and whose arguments are the options. The verb
is the name of the file (``_`` becomes ``-``; a trailing ``_`` is dropped, for words that Python reserves). Files import nothing
heavy at their top, so that ``ei-brian --help`` starts at once. Verbs return nothing; they end with an `EIBrianError` (exit code
2), or `typer.Exit` (1 for a verdict that failed). `NOT_VERBS` of `ei_brian.cli.app` names the other files of the folder.
"""
