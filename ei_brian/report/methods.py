"""The methods paragraph of a paper, with the versions that ran, and the sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import ei_brian
from ei_brian.core.models.step_errors import step_error_words
from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.spec import NetworkSpec
from ei_brian.report.validation import Validation

__all__ = ["equations_text", "methods", "sources"]

BRIAN2 = "Stimberg, Brette & Goodman 2019, eLife 8:e47314, doi 10.7554/eLife.47314"
TORCH = "Paszke et al. 2019, NeurIPS 32 (PyTorch), arXiv 1912.01703"
NEFTCI = "Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51, doi 10.1109/MSP.2019.2931595"
WILSON = "Wilson 1927, J. Am. Stat. Assoc. 22:209, doi 10.1080/01621459.1927.10502953"
STUDENT = "Student 1908, Biometrika 6:1, doi 10.1093/biomet/6.1.1"
PHILOX = "Salmon, Moraes, Dror & Shaw 2011, SC '11 (counter-based random numbers), doi 10.1145/2063384.2063405"

TRAINED_HERE, FINE_TUNED = "export from EINetwork", "fine-tune"
CHANGES = (
    "split_by_sign", "diversify", "to_conductances", "with_delays", "with_short_term_plasticity", "refine_dt", "calibrate",
    FINE_TUNED,
)  # fmt: skip


def methods(validation: Validation) -> str:
    """Return the methods section of a report: what was simulated, how, and with which statistics; one paragraph of plain text."""
    spec, settings, stimulus = validation.trained.spec, validation.settings, validation.stimulus
    cells = ", ".join(f"{p.size} {p.name} ({p.role})" for p in spec.cells)
    used = ("brian2", *(("torch",) if validation.exact.oracle == "torch" else ()), "numpy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in used)
    text = (
        f"The network {spec.name} ({cells}) {_origin(spec)} ei_brian {ei_brian.__version__} (network hash {spec.sha256[:12]}), "
        f"and simulated in Brian2 (Stimberg et al. 2019; {versions}). {_changes(spec)}Its test set "
        f"({stimulus.name}, {stimulus.n_trials} trials of {stimulus.n_steps} steps of {spec.dt_ms:g} ms) was simulated with the "
        f"backend {settings.backend} in double precision"
    )
    text += ", with the spikes of every cell compared one by one with the network's own forward pass. " if (
        validation.exact.oracle == "torch"
    ) else ", with the spikes of every cell compared one by one with a step-by-step reference simulation. "
    if settings.mix and len(validation.rungs) > 1:
        shares = ", ".join(f"{100 * share:.0f} % {kind}" for kind, share in settings.shares.items())
        text += f"Inhibitory cells were then replaced by Izhikevich neurons ({shares}; {settings.draws} draws of types, "
        text += f"seeds from {settings.type_seed(0)}). "
        if len(validation.rungs) > 2:
            text += "Their input was calibrated on trials that neither training nor test set holds. "
    kind = NOISE_KINDS[settings.noise]
    text += (
        f"Noise ({settings.noise}: {kind.meaning.rstrip('.')}) was drawn from counters (Philox, Salmon et al. 2011), "
        f"{settings.seeds} seed{'s' if settings.seeds > 1 else ''} per level in each of {settings.draws} draws, the same in all "
        "networks and in no other draw: networks are compared draw by draw. Intervals are 95 %: Student's t over draws "
        "(Student 1908), which counts cell types and noise together and holds for these test trials; where a network was run "
        "once, Wilson's interval of its accuracy over trials (Wilson 1927), and Student's t over trials of a change. A function "
        f"counts as kept where the interval of the change lies above -{100 * settings.largest_loss:g} points, as lost where it "
        "lies below."
    )
    return text


def _origin(spec: NetworkSpec) -> str:
    """Return how the network came to be, as far as its provenance tells, up to the name of this package."""
    if _line(spec, TRAINED_HERE) is not None:
        return "was trained by surrogate gradients (Neftci et al. 2019), exported with"
    imported = _line(spec, "import")
    if imported is not None:
        return (
            f"was trained elsewhere (how is not recorded), imported ({imported.get('framework', 'unknown')}; {spec.proven}) by"
        )
    return "was given, with no record of how it was trained, to"


def _changes(spec: NetworkSpec) -> str:
    """Return a sentence on what was done to the trained network before it came here; empty where nothing was."""
    done = dict.fromkeys(str(line["action"]) for line in spec.provenance if line.get("action") in CHANGES)
    if not done:
        return ""
    how = " (by surrogate gradients through its own cells; Neftci et al. 2019)" if FINE_TUNED in done else ""
    return f"Before this it had been changed, in this order, by {', '.join(done)}{how}. "


def _line(spec: NetworkSpec, action: str) -> Mapping[str, Any] | None:
    return next((line for line in spec.provenance if line.get("action") == action), None)


def sources(validation: Validation) -> str:
    """Return the list of sources, one a line."""
    spec = validation.trained.spec
    trained = any(_line(spec, action) is not None for action in (TRAINED_HERE, FINE_TUNED))
    used = [BRIAN2, TORCH, *([NEFTCI] if trained else []), PHILOX, WILSON, STUDENT]
    for rung in validation.rungs:
        for population in rung.spec.cells:
            references = [population.neuron().reference, *(receptor.reference for receptor in population.receptor_models())]
            used += [part for reference in references for part in reference.split("; ")]
    noise = NOISE_KINDS[validation.settings.noise].reference
    return "\n".join(_once([*used, *([noise] if noise else [])]))


def _once(references: Iterable[str]) -> Iterable[str]:
    """Return each work once, by its DOI where it has one, in the wording that says most."""
    kept: dict[str, str] = {}
    for reference in references:
        work = reference.rpartition(" doi ")[2]
        kept[work] = max(kept.get(work, ""), reference, key=len)
    return kept.values()


def equations_text(spec: NetworkSpec) -> str:
    """Return the equations of every population as Brian2 reads them, with solver, threshold and reset."""
    parts: dict[str, list[str]] = {}
    for population in spec.cells:
        model, receptors = population.neuron(), population.receptor_models()
        lines = list(model.dynamics)
        if model.input_current:
            lines.append(f"{model.input_current} = " + " + ".join(receptor.current for receptor in receptors))
        lines += [receptor.equations for receptor in receptors]
        if model.threshold:
            reset = f"    reset: {'; '.join(model.reset.splitlines())}" if model.reset else ""
            lines.append(f"spike: {model.threshold}{reset}")
        lines.append(f"solved by {model.solver(spec.dt_ms)}")
        error = step_error_words(population.cell_types, spec.dt_ms)
        lines += [error] if error else []
        parts.setdefault("\n".join(lines), []).append(population.name)
    return "\n\n".join(f"# {', '.join(names)}\n{text}" for text, names in parts.items())
