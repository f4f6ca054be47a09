"""Tests that run side by side, a process for each core, take one thread each: torch's threads would wait for each other.

Imported before numpy and torch, which count the cores when they are loaded. What the user has set is kept.
"""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
