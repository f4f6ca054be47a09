"""Ctrl-C ends a run with an interrupt; what was done of it is never given out as the whole."""

from __future__ import annotations

import os
import signal
import threading

import brian2
import pytest
from brian2 import Network

from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from validation.trust.cases import lif, stimulus

STEPS = 200_000


@pytest.mark.parametrize("handler", ["Python's", "Brian2's"])
def test_a_run_in_this_process_is_interrupted_and_returns_nothing(handler: str) -> None:
    # where tests run in the background the shell has set Ctrl-C to be ignored; a host that imported Brian2 first has its handler
    brian2s = brian2._InterruptHandler(signal.default_int_handler)
    before = signal.signal(signal.SIGINT, brian2s if handler == "Brian2's" else signal.default_int_handler)
    spec = lif()
    presented = stimulus(spec, 2, 10)
    Backend("numpy").run(spec, presented)  # so that the second one is in its loop soon
    killer = threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    killer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Backend("numpy").run(spec, presented, n_steps=STEPS)
    finally:
        killer.cancel()
        signal.signal(signal.SIGINT, before)
    assert not Network._globally_running
    assert Backend("numpy").run(spec, presented).n_steps == 10


def test_a_run_that_is_stopped_is_refused() -> None:
    spec = lif()
    stopper = threading.Timer(2.0, lambda: setattr(Network, "_globally_stopped", True))
    stopper.start()
    try:
        with pytest.raises(BackendError, match="stopped after"):
            Backend("numpy").run(spec, stimulus(spec, 2, 10), n_steps=STEPS)
    finally:
        stopper.cancel()
