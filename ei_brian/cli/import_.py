"""``ei-brian import``: a network of another framework becomes a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ei_brian.cli.options import AsJson, Output
from ei_brian.cli.output import check_can_write, print_json, show

if TYPE_CHECKING:
    from ei_brian.core.spec import NetworkSpec

__all__ = ["command"]


FROM = (
    "Who wrote it. State dicts: snntorch, norse, spikingjelly (weights as (out, in), layers in the order of the description, "
    "each seeing the spikes of the one before in the same step), torch (own loop; says its axes). NIR: these, or norse-1.0 "
    "(before 1.1), sinabs, rockpool, lava, nengo, spyx, spyx-haiku, nir (constants as they stand)."
)


def command(
    file: Annotated[Path, typer.Argument(help="A .nir file, or a state dict of torch.save (.pt) or numpy (.npz).")],
    source: Annotated[str, typer.Option("--from", help=FROM)],
    output: Output,
    architecture: Annotated[Path | None, typer.Option(help="The layers (TOML), for a state dict.")] = None,
    dt_ms: Annotated[float | None, typer.Option(help="Time step in ms, where the file does not hold it.")] = None,
    reset: Annotated[str | None, typer.Option(help="For a .nir file: zero or subtract; it does not say which.")] = None,
    reset_delay: Annotated[bool, typer.Option(help="snnTorch .nir: reset in the step after the spike, or at once.")] = True,
    method: Annotated[str, typer.Option(help="For --from nir: euler or exact.")] = "euler",
    allow_silent: Annotated[bool, typer.Option("--allow-silent", help="NIR: a layer may never reach threshold.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the network.")] = None,
    readout: Annotated[str | None, typer.Option(help="Decision rule, for example 'spike count' or 'max v'.")] = None,
    split: Annotated[
        bool, typer.Option("--split-by-sign", help="Give each neuron of both signs an excitatory and an inhibitory copy.")
    ] = False,
    expected: Annotated[
        Path | None, typer.Option("--expect", help="An .npz: input, and under each population's name the spikes it must give.")
    ] = None,
    axes: Annotated[str, typer.Option(help="Order of axes in --expect: trial,step,unit or step,trial,unit.")] = "trial,step,unit",
    as_json: AsJson = False,
) -> None:
    """Read a trained network of snnTorch, Norse, SpikingJelly or NIR and write a model file that fires the same spikes."""
    from ei_brian.interop.commands import import_file
    from ei_brian.interop.dale import dale_report, split_by_sign
    from ei_brian.storage import save_spec

    check_can_write(output)
    spec = import_file(
        file, source, architecture=architecture, dt_ms=dt_ms, reset=reset, reset_delay=reset_delay, method=method, name=name,
        readout=readout, allow_silent=allow_silent,
    )  # fmt: skip
    if expected is not None:
        from ei_brian.interop.expected import expect

        spec = expect(spec, expected, axes)
    spec = split_by_sign(spec) if split else spec
    save_spec(spec, output)
    facts = _facts(spec, str(output), source)
    if as_json:
        print_json(facts)
        return
    sizes = ", ".join(f"{key} {size}" for key, size in facts["populations"].items())
    show(f"wrote {output}: {sizes}; {facts['synapses']} synapses, dt {spec.dt_ms:g} ms, from {facts['from']}")
    show(f"assumed: {facts['assumed']}" if facts["assumed"] else "constants by the convention of the writer")
    show(f"proof: {spec.proven}" + ("" if spec.proof else "; give --expect FILE.npz, or ei-brian check-import later"))
    for remark in facts["remarks"]:
        show(f"not exact: {remark}")
    show(f"\nDale's law\n{dale_report(spec)}")


def _facts(spec: NetworkSpec, written: str, source: str) -> dict[str, Any]:
    """Return what the verb says about the network, as plain values."""
    from ei_brian.interop.known_fields import ASSUMED

    imported = next((line for line in spec.provenance if line.get("action") == "import"), {})
    return {
        "model": written, "sha256": spec.sha256, "from": imported.get("framework", source),
        "populations": {population.name: population.size for population in spec.populations},
        "synapses": sum(projection.n_synapses for projection in spec.projections), "remarks": imported.get("remarks", []),
        "assumed": ASSUMED.get(source, ""), "proven": spec.proven,
    }  # fmt: skip
