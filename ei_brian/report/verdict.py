"""The few sentences that a report begins with: what is the same, what is kept, and what the controls allow to conclude."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ei_brian.report.controls import INPUT, SILENCED, UNCALIBRATED, Control
from ei_brian.report.noisy import critical_levels
from ei_brian.report.settings import mix_in_words
from ei_brian.report.validation import Validation
from ei_brian.report.words import level_words, noise_name, percent, points
from ei_brian.study.statistics import Interval, mean_interval

__all__ = [
    "Judgement", "control_words", "criterion_words", "inhibition_words", "judge", "tolerated", "verdict", "withstands",
    "words_of",
]  # fmt: skip

KEPT, LOST, OPEN = "kept", "lost", "open"
LESS, MORE, AS_MUCH = "less", "more", "as much"
RELEVANT = 0.1  # a difference of levels below a tenth is none: smaller ones would be found by chance, and matter to nobody


@dataclass(frozen=True, slots=True)
class Judgement:
    """A change of accuracy against the criterion: the whole interval decides, not its middle.

    Parameters
    ----------
    word : {"kept", "lost", "open"} or {"less", "more", "as much", "open"}
        Kept: the interval lies above the largest loss allowed; lost: below it; open: it lies across, or there is none. Less,
        more, as much: of the noise that is withstood, against a difference of a tenth.
    change : Interval
        Share of all trials, negative is a loss; of noise the ratio of levels.
    """

    word: str
    change: Interval


def judge(change: Interval, largest_loss: float) -> Judgement:
    """Return the judgement of a change."""
    word = KEPT if change.low >= -largest_loss else LOST if change.high < -largest_loss else OPEN
    return Judgement(word, change)


def function_kept(validation: Validation) -> Judgement:
    """Judge the last rung against the trained network, without noise, over draws of cell types."""
    change = validation.last.accuracies - validation.trained.accuracy
    return judge(mean_interval(change), validation.settings.largest_loss)


def withstands(validation: Validation) -> Judgement:
    """Judge the level of noise at which the last rung has lost as much as the criterion allows, over that of the trained network.

    A ratio of 1 is as trained. Both have the same trials and noise seeds in each draw, and the interval is over draws. What is
    not lost at any level counts with the highest level tried.
    """
    levels = np.array(validation.settings.levels)
    trained, last = (
        np.minimum(critical_levels(accuracy, levels, validation.settings.largest_loss), levels[-1])
        for accuracy in _ends(validation)
    )
    ratio = mean_interval(last / trained)
    low, high = 1 - RELEVANT, 1 + RELEVANT
    if ratio.high < low:
        return Judgement(LESS, ratio)
    if ratio.low > high:
        return Judgement(MORE, ratio)
    return Judgement(AS_MUCH if ratio.low >= low and ratio.high <= high else OPEN, ratio)


def _ends(validation: Validation) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    return validation.accuracy[validation.trained.name], validation.accuracy[validation.last.name]


def tolerated(validation: Validation, rung: str) -> str:
    """Return in words at which level of noise a network has lost more than the criterion allows."""
    settings = validation.settings
    found = critical_levels(validation.accuracy[rung], np.array(settings.levels), settings.largest_loss)
    kind, most = settings.noise, max(settings.levels)
    if np.isinf(found).all():
        return f"not lost at any level tried (up to {level_words(kind, most)})"
    if np.isinf(found).any():
        least = level_words(kind, float(found.min()))
        return f"lost beyond {least} ({np.isfinite(found).sum()} of {found.size} draws) or at no level tried (the others)"
    one = mean_interval(found)
    span = "" if np.isnan(one.low) else f" (95 % interval {max(one.low, 0.0):.2g} to {one.high:.2g})"
    return f"lost at {level_words(kind, one.mean)}{span}"


def verdict(validation: Validation) -> tuple[bool, str]:
    """Return whether the spikes are equal, and the sentences."""
    exact, spec, first, last = validation.exact, validation.trained.spec, validation.trained, validation.last
    if not exact.equal:
        return False, (
            f"{spec.name} does not do in Brian2 what it does in {exact.oracle}: {exact.differing_spikes:,} spikes differ, in "
            f"{exact.n_trials - exact.equal_trials} of {exact.n_trials} test trials, first at {exact.first}."
        )
    same = (
        f"{spec.name} does in Brian2 exactly what it does in {exact.oracle} (all {exact.n_spikes:,} spikes of "
        f"{exact.n_trials} test trials are equal)"
    )
    if last is first:
        parts = [f"{same} and decides {percent(first.accuracy)} of them right."]
    else:
        parts = [f"{same}.", _function_words(validation)]
    parts += [_noise_words(validation), *control_words(validation)[:1], criterion_words(validation)]
    return True, " ".join(part for part in parts if part)


def words_of(text: str) -> str:
    """Return a verdict without its numbers: what two runs with other seeds should agree on."""
    return re.sub(r"(?<!\w)[+−-]?\d+(?:[.,]\d+)*", "…", text)


def _function_words(validation: Validation) -> str:
    found, first, last = function_kept(validation), validation.trained, validation.last
    mix = mix_in_words(validation.settings.shares)
    words = {KEPT: "its function is kept", LOST: "its function is lost", OPEN: "it stays open whether its function is kept"}
    change = f"{percent(first.accuracy)} → {percent(last.accuracy)}, {_change(found.change)}"
    return f"With {mix} interneurons {words[found.word]} ({change})."


def _noise_words(validation: Validation) -> str:
    name = noise_name(validation.settings.noise)
    lost = points(validation.settings.largest_loss)
    if len(validation.settings.levels) < 2:
        return ""
    if validation.last is validation.trained:
        return f"Under {name}, {lost} are {tolerated(validation, validation.trained.name)}."
    found = withstands(validation)
    start = validation.trained.name
    told = {
        LESS: f"withstands less noise than {start}", MORE: f"withstands more noise than {start}",
        AS_MUCH: f"withstands as much noise {start}",
        OPEN: f"may withstand less noise than {start}, or not: these draws do not tell",
    }[found.word]  # fmt: skip
    return (
        f"Under {name}, {lost} are {tolerated(validation, validation.last.name)}; {start}, they are "
        f"{tolerated(validation, start)}. The network with the new cells {told} ({_ratio(found.change)})."
    )


def _ratio(ratio: Interval) -> str:
    span = "one draw, no interval" if np.isnan(ratio.low) else f"95 % interval {max(ratio.low, 0.0):.2g} to {ratio.high:.2g}"
    return f"{ratio.mean:.2g} times the level, {span}"


def control_words(validation: Validation) -> tuple[str, ...]:
    """Return what the controls show, the conclusion on inhibition first; nothing where none were run."""
    if not validation.controls:
        return ()
    told = [inhibition_words(validation.controls, validation.trained.name, validation.settings.largest_loss)]
    for control in validation.controls:
        if control.name in (INPUT, UNCALIBRATED):
            words = judge(control.change, validation.settings.largest_loss).word
            where = f"{control.name.capitalize()}, {_network(validation.trained.name, control)}"
            told.append(f"{where}: function {words} ({_change(control.change)}).")
    return tuple(told)


def inhibition_words(controls: Sequence[Control], trained: str, loss: float, unit: float = 100.0) -> str:
    """Return what silenced inhibition shows.

    Parameters
    ----------
    controls : sequence of Control
        Of the network as trained and of the last.
    trained : str
        Name of the first.
    loss : float
        The criterion, as a share.
    unit : float
        100 for points of accuracy, 1 for R².
    """
    found = [one for one in controls if one.name == SILENCED]
    if not found:
        return "The network has no inhibitory cells: nothing here is about inhibition."
    words = [judge(one.change, loss).word for one in found]
    costs = ", ".join(f"{_network(trained, one)} {_change(one.change, unit)}" for one in found)
    start = f"Control, all inhibition silenced: {costs}."
    if words[0] == KEPT:
        return (
            f"{start} As trained the network does not need its inhibition, so that nothing here shows that inhibition survives a "
            "change of its cells."
        )
    if OPEN in words:
        return f"{start} Whether the network needs its inhibition stays open, and with it what the change of its cells shows."
    if words[-1] == KEPT:
        return f"{start} The trained network needs its inhibition; with the new cells the network no longer does."
    needed = "The network needs its inhibition, so that a function that is kept is kept with inhibition."
    return f"{start} {needed}{_spare(controls, loss)}"


def _spare(controls: Sequence[Control], loss: float) -> str:
    """Name the cell types without which the function is not shown to be lost: of them a kept function says nothing."""
    silent = {one.name.removesuffix(" silenced"): judge(one.change, loss).word for one in controls if one.of_type}
    spare = [kind for kind, word in silent.items() if word != LOST]
    if not spare:
        return ""
    return f" That it needs its {', '.join(spare)} cells is not shown: of these alone a kept function says nothing."


def _network(trained: str, control: Control) -> str:
    return control.network if control.network == trained else f"with {control.network}"


def _change(change: Interval, unit: float = 100.0) -> str:
    digits, words = (1, " points") if unit == 100.0 else (3, " of R²")
    mean, low, high = (f"{unit * value:+.{digits}f}" for value in (change.mean, change.low, change.high))
    return f"{mean}{words}, one draw, no interval" if np.isnan(change.low) else f"{mean}{words}, 95 % interval {low} to {high}"


def criterion_words(validation: Validation) -> str:
    """Return the criterion and what the intervals count."""
    settings = validation.settings
    drawn = "cell types, each with" if validation.last is not validation.trained else "noise, each of"
    few = "With one draw there is no interval, and every judgement stays open." if settings.draws == 1 else (
        f"Intervals: Student's t over {settings.draws} draws of {drawn} {settings.seeds} noise "
        f"seed{'s' if settings.seeds > 1 else ''} of its own, for these test trials."
    )  # fmt: skip
    return (
        f"Criterion: a function is kept where the whole 95 % interval of the change lies above −{points(settings.largest_loss)} "
        f"(of 100), lost where it lies below, else open{_noise_criterion(validation)}. {few}"
    )


def _noise_criterion(validation: Validation) -> str:
    """Return the criterion for noise, where two networks were compared under some."""
    if validation.last is validation.trained or len(validation.settings.levels) < 2:
        return ""
    return (
        f"; less or more noise is withstood where the whole interval of the ratio of levels lies below {1 - RELEVANT:g} or above "
        f"{1 + RELEVANT:g}, as much where it lies between"
    )
