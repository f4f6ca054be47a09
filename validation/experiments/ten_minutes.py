"""Ten minutes of ongoing activity of 200 cells, streamed to disk: how much memory and time it takes.

    python validation/experiments/ten_minutes.py FOLDER [minutes]

Stopped by Ctrl-C it goes on where it was when it is called again.
"""

from __future__ import annotations

import resource
import sys
from time import perf_counter, process_time

import ei_brian as ei
from ei_brian.storage.long_run import PoissonInput

spec = ei.load("digits_ei80")
minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
started, busy = perf_counter(), process_time()
found = ei.run_long(
    spec, PoissonInput(spec.n_inputs, spec.dt_ms, 10.0, seed=1), sys.argv[1], minutes * 60_000, warm_up_ms=1000.0,
    noise=ei.Noise(membrane_ou_sd=0.3), seed=1,
)  # fmt: skip
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(found, f"E {found.rate_hz('E'):.2f} Hz, I {found.rate_hz('I'):.2f} Hz")
seconds = f"{perf_counter() - started:.0f} s, {process_time() - busy:.0f} s of processor time"
print(f"largest resident memory {used:.0f} MiB, {seconds}")
