"""One sub-step of two-variable spiking cells by the linearly implicit midpoint rule, as text.

For ``dv/dt = f(v, u)`` and ``du/dt = r*(b*(v - v_0) - u)`` a sub-step of length ``h`` solves ``(1 - h*J/2) * change = h*F`` with
the Jacobian ``J`` at its start: the Rosenbrock method of one stage, order 2 (Hairer & Wanner 1996, Solving Ordinary Differential
Equations II, sec. IV.7). For a quadratic ``f`` it is Kahan's method (Celledoni et al. 2013, J. Phys. A 46:025201), a rational
function of v that runs through the pole of a spike's upstroke as the solution does; equilibria, and so the rheobase where the
rest vanishes in a fold, are those of the equations for every ``h``.

A synaptic conductance ``G`` is taken by ``1/(1 + z + z^2/2)``, ``z = h*G/C``, in the place of ``exp(-z)`` (order 2; between 0
and 1 for every ``z``): no conductance makes v overshoot its reversal potential, however large it is.

A spike is found within its sub-step, at the time where v reaches its peak; the rest of the sub-step, ``late``, is added to the
next one, so that a reset costs no time.
"""

from __future__ import annotations

from ei_brian.core.quantity import Coefficient, State

__all__ = ["LATE", "LIMITS", "H", "stepped"]

H = Coefficient("h", "ms", "sub-step", lambda p, dt_ms: dt_ms)
LATE = State("late", "ms", "time since a spike in the last sub-step, added to the next one")
LIMITS = (  # what divisors are held within, far from where a cell without a spike in the sub-step gets
    Coefficient("least", "1", "smallest divisor of a sub-step", lambda p, dt_ms: 0.05),
    Coefficient("most", "1", "largest divisor of a sub-step", lambda p, dt_ms: 1e15),
    Coefficient("slowest", "mV/ms", "smallest slope at which the time of a spike is sought", lambda p, dt_ms: 1e-3),
    Coefficient("fastest", "mV/ms", "largest slope at which the time of a spike is sought", lambda p, dt_ms: 1e6),
)
CHORD = "clip((v_peak - v)/clip(rate_now + bend_now*(v_peak - v), slowest, fastest), 0, h_now)"


def stepped(begin: str, drift: str, *, conductance: str = "", slow: str = "u", blown: str = "", time: str = CHORD) -> str:
    """Return the text of a sub-step.

    Parameters
    ----------
    begin : str
        Assignments of ``rate_now``, dv/dt without the conductance but with half of what u changes meanwhile, and ``bend_now``,
        half its derivative by v.
    drift : str
        du/dt over the sub-step, from ``change_now``, the change of v.
    conductance : str
        Synaptic conductance over capacitance, a rate; empty without. The current is then the one at a potential of 0.
    slow : str
        Name of u.
    blown : str
        Condition that v leaves all bounds within the sub-step where the quotient does not show it; empty without.
    time : str
        When v reaches its peak, from the start of the sub-step.
    """
    lines = ["h_now = h + late", "late = 0*late", begin]
    if conductance:
        lines += [
            f"opening_now = {conductance}", "half_now = h_now*opening_now/2", "rate_now = rate_now - opening_now*v",
            "divisor_now = (1 + half_now)*(1 - h_now*bend_now) + half_now*(1 + 2*half_now)",
            "v_now = clip(v + (1 + half_now)*h_now*rate_now/clip(divisor_now, least, most), v_floor, v_peak)",
            "bend_now = bend_now - opening_now/2",
        ]  # fmt: skip
    else:
        lines += ["v_now = clip(v + h_now*rate_now/clip(1 - h_now*bend_now, least, most), v_floor, v_peak)"]
    if blown:
        lines += [f"blown_now = int({blown})", "v_now = (1 - blown_now)*v_now + blown_now*v_peak"]
    end = [f"time_now = {time}", "change_now = v_now - v", f"drift_now = {drift}"]
    end += [f"{slow} = {slow} + h_now*drift_now", "v = v_now"]
    return "\n".join([*lines, *end])
