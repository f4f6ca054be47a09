"""The card of a model file: what it is, how it was made, how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plain_text import one_line
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.cell_stand import stand_table, where_cells_stand
from ei_brian.report.facts import fit_words, network_facts
from ei_brian.report.markdown import inert

__all__ = ["model_card"]

FENCE = "```"


@takes_numbers()
def model_card(spec: NetworkSpec, command: str, seeds: str = "") -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    spec : NetworkSpec
        The model.
    command : str
        The shell line that makes it.
    seeds : str
        A paragraph on other seeds of the same configuration; empty for none.
    """
    facts = network_facts(spec)
    parts = [
        f"# {spec.name}",
        "",
        *_figures(facts["figures"]),
        f"- made by: `{command}`",
        f"- time step: {spec.dt_ms:g} ms; decision: {facts['readout'] or 'none'}",
        f"- SHA-256 of the network: `{facts['sha256']}`",
        *([f"- {proven}"] if (proven := facts["proven"]) else []),
        "",
        *([seeds, ""] if seeds else []),
        "| population | cells | role | model | rate on the test set |",
        "| --- | ---: | --- | --- | ---: |",
        *(_population_row(population) for population in facts["populations"]),
        "",
        "| projection | synapses | weights > 0 / < 0 | mean | largest |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_projection_row(projection) for projection in facts["projections"]),
        "",
        *_stands(spec),
        *_history(facts["provenance"]),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _stands(spec: NetworkSpec) -> list[str]:
    """Return where the cells with named types stand within the bounds of these; empty without such cells."""
    stands = [replace(each, cell_type=inert(one_line(each.cell_type))) for each in where_cells_stand(spec)]
    return ["## Where the cells stand", "", "Mean [least, largest].", "", stand_table(stands), ""] if stands else []


def _figures(figures: Mapping[str, Any]) -> list[str]:
    lines = []
    if words := fit_words(figures):
        lines.append(f"- test {'accuracy' if 'test_accuracy' in figures else 'set'}: {words}")
    if "hidden_rate_hz" in figures:
        lines.append(f"- mean rate of the hidden cells on the test set: {figures['hidden_rate_hz']:.1f} Hz")
    return lines


def _population_row(population: Mapping[str, Any]) -> str:
    types = ", ".join(f"{count} {name}" for name, count in population["cell_types"].items())
    model = population["model"] + (f" ({types})" if types else "")
    rate = "" if population["rate_hz"] is None else f"{population['rate_hz']:.1f} Hz"
    return f"| {population['name']} | {population['size']} | {population['role']} | {model} | {rate} |"


def _projection_row(projection: Mapping[str, Any]) -> str:
    signs = projection["signs"]
    return (
        f"| {projection['source']} → {projection['target']} | {projection['synapses']} | {signs['+']} / {signs['-']} | "
        f"{projection['mean']:.4f} | {projection['largest']:.3f} |"
    )


def _history(provenance: list[Mapping[str, Any]]) -> list[str]:
    lines = ["## Provenance", ""]
    for number, line in enumerate(provenance, 1):
        lines.append(f"{number}. {inert(one_line(line['action']))}")
        settings = line.get("configuration")
        if isinstance(settings, Mapping):
            lines += ["", "   ```", *(f"   {one_line(text).replace(FENCE, FENCE[0])}" for text in _settings(settings)), "   ```"]
    return lines


def _settings(settings: Mapping[str, Any]) -> list[str]:
    lines = [f"{key} = {value!r}" for key, value in settings.items() if not isinstance(value, Mapping)]
    for key, table in settings.items():
        if isinstance(table, Mapping):
            lines.append(f"[{key}] " + ", ".join(f"{name} = {value!r}" for name, value in table.items()))
    return lines
