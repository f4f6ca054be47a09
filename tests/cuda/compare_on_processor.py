"""Compares programs for a GPU with the reference: run by a Python that has Brian2CUDA, with the toolkit of `processor`.

    python -m tests.cuda.compare_on_processor CASE ORDER...

An order is that of blocks and threads: ``ascending``, ``reversed``, or a number that shuffles. Prints a line of numbers for each.
"""

from __future__ import annotations

import os
import sys

from tests.sim.networks import SILENT_MAPS, SPIKING_MAPS, cell_network, framework_network, spikes_shown
from validation.features import passing, shown
from validation.gpu.equality import CASES, Case, compare

__all__ = ["ALL_CASES"]

ALL_CASES = (
    *CASES,
    Case("every map", lambda: framework_network(SPIKING_MAPS, silent=SILENT_MAPS), spikes_shown),
    Case("every cell", cell_network, spikes_shown),
    Case("relays, largest drives, weighted sums, own cells with functions", passing, shown),
)


def main(number: int, orders: list[str]) -> None:
    """Run, compare, print."""
    for order in orders:
        os.environ.pop("CPU_DEVICE_ORDER", None)
        if order != "ascending":
            os.environ["CPU_DEVICE_ORDER"] = order
        row = compare(ALL_CASES[number])
        print(row.n_spikes, row.differing, row.largest_score_difference, row.largest_trace_difference)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
