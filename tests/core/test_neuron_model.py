"""A neuron model holds only what every simulator computes: everything else is refused when it is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ei_brian.core.models import MODELS
from ei_brian.errors import SpecError

LIF = MODELS["lif_exponential"]


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("update", "v = np.tanh(v)", r"line 1, a function: 'np.tanh' is not known\. Allowed: clip, cosine, exponential, int, "),
        ("update", "v = v\ng = exp(g)", r"line 2, a function: 'exp' is not known.*use exponential\(x\)"),
        ("reset", "v = maximum(v, 0)", r"reset, line 1, a function: 'maximum'"),
        ("update", "v = v**2", r"power 'v \*\* 2' .* write it as a product"),
        ("update", "v = v % g", r"'v % g' is not allowed"),
        ("update", "v = v + 0.5*g", r"the number '0.5' becomes a parameter or a coefficient"),
        ("update", "v = (v > g)*v", r"write int\(v > g\)"),
        ("update", "v = int(v)", r"'v' is no condition"),  # would cut off the fraction in Brian2 only
        ("update", "v = exponential(v, g)", r"exponential takes 1 argument"),
        ("update", "v += g", r"no assignment; write name = expression"),
        ("update", "v = v + gg", r"'gg' is not known\. Did you mean 'g'\?"),
        ("update", "tau_mem = v", r"'tau_mem' is a parameter or coefficient"),
        ("update", "v = (g", r"cannot be read"),
        ("threshold", "v > v_threshold and g > 0", r"is no condition"),  # numpy has no `and` of arrays
        ("threshold", "v = 1", r"is no expression"),
        ("threshold", "v > half", r"'half' is not known"),  # set by the update, and gone when the threshold is asked
        ("update_end", "armed = 1 + on", r"update_end, line 1: 'on' is not known"),
        ("margin", "v - theta", r"margin: 'theta' is not known"),
    ],
)
def test_what_only_one_side_computes_is_refused(field: str, text: str, message: str) -> None:
    changes = {field: text, **({"update": "half = g\nv = half"} if field == "threshold" else {})}
    with pytest.raises(SpecError, match=message):
        replace(LIF, **changes)


def test_names_that_an_update_sets_are_known_below_it() -> None:
    model = replace(LIF, update="half = g\nv = v*decay_mem + half", update_end="g = half*decay_syn")
    assert model.update_at(1.0).endswith("g = half*decay_syn")


@pytest.mark.parametrize("name", ["wang_buzsaki", "traub_miles"])
def test_hodgkin_huxley_cells_spike_at_0_mv_and_have_gates_between_0_and_1(name: str) -> None:
    """Where a spike is counted is ours, and printed with the results; a gate is a share of open channels."""
    parameters = {p.name: p for p in MODELS[name].parameters}
    assert (parameters["v_spike"].default, parameters["v_rearm"].default) == (0.0, -20.0)
    gates = [p for n, p in parameters.items() if n in ("m_init", "n_init", "h_init")]
    assert {(p.low, p.high) for p in gates} == {(0.0, 1.0)}
    assert len(gates) >= 2
