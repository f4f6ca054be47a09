"""All verbs in one typer application."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import typer

import ei_brian
from ei_brian import cli
from ei_brian.cli.output import show

__all__ = ["NOT_VERBS", "application", "verbs"]

NOT_VERBS = ("app", "main", "mixture", "options", "output", "ten_neurons")
EXIT_CODES = (
    "Exit codes: 0 done, 1 done but the verdict is no (spikes differ, a condition or a check failed), 2 something in the "
    "command, its files or this machine is not right (one line on stderr says what), 70 an error of ei_brian itself "
    "(the line says where its traceback is), 130 interrupted."
)


def verbs() -> dict[str, str]:
    """Return the verbs and the modules that hold them, in alphabetical order."""
    found = sorted(module.name for module in pkgutil.iter_modules(cli.__path__) if module.name not in NOT_VERBS)
    return {name.rstrip("_").replace("_", "-"): f"{cli.__name__}.{name}" for name in found}


def _version(wanted: bool) -> None:
    if wanted:
        show(f"ei-brian {ei_brian.__version__}")
        raise typer.Exit


def application() -> typer.Typer:
    """Return the application with every verb of the folder."""
    app = typer.Typer(
        name="ei-brian", no_args_is_help=True, epilog=EXIT_CODES, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip

    @app.callback()
    def start(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ) -> None:
        """Take a trained spiking network to Brian2 with the same spikes, then to biology, and see what survives."""

    for verb, module in verbs().items():
        app.command(verb)(import_module(module).command)
    return app
