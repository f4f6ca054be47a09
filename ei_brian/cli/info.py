"""``ei-brian info``: what is in a model file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ei_brian.cli.options import AsJson, ModelFile
from ei_brian.cli.output import print_json, show
from ei_brian.core.plain_text import one_line

__all__ = ["command"]


def command(model: ModelFile, as_json: AsJson = False) -> None:
    """Show populations, weights, rates, neuron models with equations, units and citation, and how the model was made."""
    from ei_brian.report.facts import network_facts
    from ei_brian.storage import load_spec

    facts = network_facts(load_spec(model))
    if as_json:
        print_json(facts)
        return
    show(f"{facts['name']}   dt {facts['dt_ms']:g} ms   decision: {facts['readout'] or 'none'}   sha256 {facts['sha256'][:16]}…")
    figures = facts["figures"]
    if "test_accuracy" in figures:
        show(f"test accuracy {figures['test_accuracy']:.1%} ({figures['test_trials']} trials)")
    elif "test_r_squared" in figures:
        show(f"test R² {figures['test_r_squared']:.3f} ({figures['test_trials']} trials)")
    if facts["proven"]:
        show(f"proof: {facts['proven']}")
    show("\npopulations")
    for population in facts["populations"]:
        show("  " + _population(population))
    show("\nprojections (source → target: synapses, weights > 0 / < 0, mean, largest size)")
    for projection in facts["projections"]:
        show("  " + _projection(projection))
    for name, model_facts in facts["models"].items():
        show(f"\nneuron model {name}: {model_facts['title']}")
        _print_model(model_facts)
    show("\nprovenance")
    for line in facts["provenance"]:
        plain = {key: value for key, value in line.items() if isinstance(value, (str, int, float)) and key != "action"}
        details = ", ".join(f"{key} {value}" for key, value in plain.items())
        show("  " + one_line(f"{line['action']}" + (f" ({details})" if details else "")))


def _population(facts: Mapping[str, Any]) -> str:
    rate = "" if facts["rate_hz"] is None else f"   {facts['rate_hz']:.1f} Hz on its test set"
    types = ", ".join(f"{count} {name}" for name, count in facts["cell_types"].items())
    model = " ".join(part for part in (facts["model"], f"({types})" if types else "") if part)
    error = f"\n{'':<11}{facts['step_error']}" if facts["step_error"] else ""
    return f"{facts['name']:<8} {facts['size']:>6} cells   {facts['role']:<8} {model}{rate}{error}"


def _projection(facts: Mapping[str, Any]) -> str:
    signs = facts["signs"]
    extra = f"   delay up to {facts['max_delay_steps']} steps" if facts["max_delay_steps"] else ""
    extra += f"   {facts['plasticity']}" if facts["plasticity"] else ""
    ends = f"{facts['source']} → {facts['target']}"
    return (
        f"{ends:<16} {facts['synapses']:>8}   {signs['+']} / {signs['-']}   mean {facts['mean']:+.4f}   "
        f"largest {facts['largest']:.3f}{extra}"
    )


def _print_model(facts: Mapping[str, Any]) -> None:
    for line in facts["equations"]:
        show(f"  {line}")
    if facts["threshold"]:
        show(f"  spike when {facts['threshold']}" + (f", then {'; '.join(facts['reset'])}" if facts["reset"] else ""))
    show(f"  solved by {facts['method']}")
    show("  units: " + ", ".join(f"{name} [{unit}]" for name, unit in facts["units"].items()))
    show(f"  from {facts['reference']}")
    if facts["deviations"]:
        show(f"  differs: {facts['deviations']}")
