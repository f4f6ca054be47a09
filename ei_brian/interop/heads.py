"""Layers without neurons that decide what a module returns: weights, or sums over neurons, behind the last layer of neurons."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ei_brian.interop.operations import MOVING, operands_of, operation_name, run_operation
from ei_brian.interop.recorder import Source, Value
from ei_brian.interop.returned import WeighedError, returned_sources, sources_of

__all__ = ["Heads", "find_heads", "rule_of", "runs_every_step"]

Heads = Mapping[str, list[Value]]  # what a module gave, call after call


def find_heads(
    outputs: tuple[Value, ...], drives: frozenset[int], made: Heads
) -> tuple[tuple[str, ...], tuple[Source, ...]]:
    """Return the modules that weigh or sum what the last neurons give, and the outputs of neurons that are returned beside them.

    Parameters
    ----------
    outputs : sequence of Value
        What the network returned.
    drives : set of int
        ``id`` of the values that enter layers of neurons.
    made : mapping of str to list of Value
        What each module without neurons gave, of those that gave something in every step.

    Raises
    ------
    WeighedError
        If the weights are of no such module, so that nothing shows what they give in each step.
    """
    heads: list[str] = []
    owner = {id(value): path for path, values in reversed(list(made.items())) for value in values}
    while True:
        stop = drives | {id(value) for path in heads for value in made[path]}
        try:
            sources = returned_sources(outputs, stop, tuple(value for path in heads for value in made[path]))
            break
        except WeighedError as error:
            path = _owner_of(error.value, outputs, stop, owner)
            if path is None or path in heads:
                raise
            heads.append(path)
    stop = drives | {id(value) for path in heads for value in made[path]}
    seen = {id(item) for output in outputs for item in sources_of(output, stop)}
    return tuple(path for path in _in_order(outputs, stop, heads, owner) if seen & {id(v) for v in made[path]}), sources


def _owner_of(
    value: Value, outputs: tuple[Value, ...], stop: frozenset[int], owner: Mapping[int, str]
) -> str | None:
    """Return the module whose output is nearest behind a value."""
    followers: dict[int, list[Value]] = {}
    for output in outputs:
        for item in sources_of(output, stop):
            if item.operation is not None and id(item) not in stop:
                for operand in operands_of(item.operation):
                    followers.setdefault(id(operand), []).append(item)
    waiting, seen = [value], {id(value)}
    while waiting:
        item = waiting.pop(0)
        if id(item) in owner:
            return owner[id(item)]
        new = [follower for follower in followers.get(id(item), []) if id(follower) not in seen]
        seen |= {id(follower) for follower in new}
        waiting += new
    return None


def _in_order(outputs: tuple[Value, ...], stop: frozenset[int], heads: list[str], owner: Mapping[int, str]) -> list[str]:
    """Return heads in the order in which the outputs name them."""
    named = [owner[id(item)] for output in outputs for item in sources_of(output, stop) if owner.get(id(item)) in heads]
    return list(dict.fromkeys(named))


def rule_of(outputs: tuple[Value, ...], values: list[Value]) -> str:
    """Return the decision rule that a module follows on what its head gives in all steps, in the words of `Readout`."""
    stop = frozenset(id(value) for value in values)
    behind = [item for output in outputs for item in sources_of(output, stop)]
    names = {operation_name(item.operation) for item in behind if item.operation is not None and id(item) not in stop}
    if names & {"sum", "mean", "add"}:
        return "mean v"
    if names & {"max", "amax", "maximum"}:
        return "max v"
    return "last v" if names <= MOVING and _only_last(outputs, values) else "mean v"


def _only_last(outputs: tuple[Value, ...], values: list[Value]) -> bool:
    """Whether outputs, which are moved values of a head, hold nothing but those of the last step."""
    steps = {id(value): torch.full(value.shape, number, dtype=torch.float64) for number, value in enumerate(values)}
    last = len(values) - 1
    if len(values) == 1:
        last = values[0].shape[0] - 1
        whole = torch.arange(last + 1, dtype=torch.float64)
        steps = {id(values[0]): whole.reshape(-1, *[1] * (len(values[0].shape) - 1)).expand(values[0].shape).clone()}

    def step_of(value: Value) -> torch.Tensor:
        if id(value) not in steps and value.operation is not None:
            given = {id(item): step_of(item) for item in operands_of(value.operation)}
            steps[id(value)] = run_operation(value.operation, given).double()
        return steps.get(id(value), torch.full(value.shape, -1.0, dtype=torch.float64))

    mine = [output for output in outputs if any(id(item) in steps for item in sources_of(output, frozenset(steps)))]
    return last > 0 and bool(mine) and all(bool(torch.all(step_of(output) == last)) for output in mine)


def runs_every_step(values: list[Value], n_steps: int, whole: bool) -> bool:
    """Whether a module gives something in every step, not a sum over steps: on that a bias counts once."""
    return len(values) == n_steps or (len(values) == 1 and whole and values[0].shape[:1] == (n_steps,))
