"""The rungs of biology that every validation climbs: interneurons replaced in several draws of cell types, then calibrated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.diversify import diversify
from ei_brian.errors import CalibrationError, SpecError
from ei_brian.report.settings import Settings, mix_in_words

__all__ = ["biological_rungs"]

R = TypeVar("R")


def biological_rungs(
    spec: NetworkSpec, calibration_set: Stimulus | None, test_set: Stimulus, settings: Settings,
    run: Callable[[str, list[NetworkSpec]], R], say: Callable[[str], None], notes: list[str],
) -> list[R]:  # fmt: skip
    """Return what ``run`` makes of the networks of each rung; as far as it goes, with a note where it ends or falls short.

    Parameters
    ----------
    spec : NetworkSpec
        As trained.
    calibration_set : Stimulus, optional
        For fitting swapped cells; without it they stay as `diversify` made them.
    test_set : Stimulus
        Which the calibration may not have seen.
    settings : Settings
        Cell types, draws and seeds.
    run : callable
        Given the name of a rung and its networks, one for each draw.
    say : callable
        Told of progress.
    notes : list of str
        Where what did not go as it should is added.
    """
    words = mix_in_words(settings.shares)
    say(f"replacing the interneurons by {words} cells, {settings.draws} draws …")
    try:
        drawn = [diversify(spec, settings.mix or {}, "inh", seed=settings.type_seed(k)) for k in range(settings.draws)]
    except SpecError as error:
        _note(f"The interneurons were not replaced: {error}", say, notes)
        return []
    rungs = [run(f"{words} interneurons", drawn)]
    if calibration_set is None:
        return rungs
    say(f"calibrating them on {calibration_set.n_trials} other trials …")
    fitted = _calibrated(drawn, calibration_set, test_set, say, notes)
    return [*rungs, run(f"{words}, calibrated", fitted)] if fitted else rungs


def _calibrated(
    drawn: list[NetworkSpec], calibration_set: Stimulus, test_set: Stimulus, say: Callable[[str], None], notes: list[str]
) -> list[NetworkSpec]:
    """Return the fitted networks, or none where one of them has no network that comes near."""
    fitted = []
    for number, diverse in enumerate(drawn):
        try:
            fitted.append(calibrate(diverse, calibration_set, test_set=test_set))
        except CalibrationError as error:
            if error.best is None:
                _note(f"The calibration did not converge, and the cells stay as they were: {error}", say, notes)
                return []
            fitted.append(error.best.network())
            reasons = "; ".join(error.best.reasons)
            _note(
                f"Draw {number + 1} of {len(drawn)}: the calibration did not reach its aim, and the nearest network found is "
                f"counted ({reasons}).", say, notes,
            )  # fmt: skip
    return fitted


def _note(text: str, say: Callable[[str], None], notes: list[str]) -> None:
    notes.append(text)
    say(f"  {text}")
