"""The digits network with every hidden cell an Izhikevich cell (RS; FS and LTS), calibrated, then trained through these cells.

python models/digits_ei80_izhikevich.py
"""

from __future__ import annotations

from recipe import digits_network, main, with_figures

import ei_brian as ei
from ei_brian.config.data_settings import data_of
from ei_brian.core.spec import NetworkSpec
from ei_brian.learn.fine_tune import fine_tune

NAME = "digits_ei80_izhikevich"


def make() -> NetworkSpec:
    """Swap all cells, fit them on the calibration set, and train all weights further under Dale's law."""
    trained = digits_network()
    data = data_of(trained)
    calibration_set, test_set = data.load(calibration=True)
    train_set, _ = data.load()
    swapped = ei.diversify(trained, mix="cortex FS/LTS", population="all", seed=1)
    calibrated = ei.calibrate(swapped, calibration_set, test_set=test_set, progress=True)
    tuned = fine_tune(calibrated, train_set, test_set=test_set, progress=True)
    return with_figures(tuned, NAME, "made by models/digits_ei80_izhikevich.py")


if __name__ == "__main__":
    main(NAME, make)
