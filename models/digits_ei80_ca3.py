"""The digits network with the interneurons of hippocampal area CA3 in the place of its inhibitory cells, calibrated.

python models/digits_ei80_ca3.py
"""

from __future__ import annotations

from recipe import digits_network, main, with_figures

import ei_brian as ei
from ei_brian.config.data_settings import data_of
from ei_brian.core.spec import NetworkSpec

NAME = "digits_ei80_ca3"


def make() -> NetworkSpec:
    """Swap the inhibitory cells and fit them on the calibration set."""
    trained = digits_network()
    calibration_set, test_set = data_of(trained).load(calibration=True)
    swapped = ei.diversify(trained, mix="hippocampus CA3", jitter=0.05, seed=1)
    calibrated = ei.calibrate(swapped, calibration_set, test_set=test_set, progress=True)
    return with_figures(calibrated, NAME, "made by models/digits_ei80_ca3.py")


if __name__ == "__main__":
    main(NAME, make)
