"""The stream: known answers, layout, and independence of how work is cut."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.noise.philox import key_of, normals, philox4x32, uniforms, words

# Random123 1.14, tests/kat_vectors, philox4x32 10: counter, key, expected
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers_of_random123(counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]) -> None:
    out = philox4x32(tuple(np.array([word], np.uint64) for word in counter), key)  # type: ignore[arg-type]
    assert tuple(int(word[0]) for word in out) == expected


def test_layout_of_units_over_counters_and_words() -> None:
    """Unit j is word (j % 64) // 16 of counter (j // 64) * 16 + j % 16, each computed here by itself."""
    seed, stream, trial, step, n_units = 0x0123456789ABCDEF, 77, 5, 11, 150
    got = words(seed, stream, trial, step, n_units)
    for unit in range(n_units):
        counter = ((unit // 64) * 16 + unit % 16, step, trial, stream)
        out = philox4x32(tuple(np.array([word], np.uint64) for word in counter), key_of(seed))  # type: ignore[arg-type]
        assert got[unit] == out[(unit % 64) // 16][0]


def test_numbers_do_not_depend_on_the_size_of_the_population_or_on_the_batch() -> None:
    full = normals(9, 3, np.arange(20), 4, 200)
    assert np.array_equal(full[:, :7], normals(9, 3, np.arange(20), 4, 7))
    assert np.array_equal(full[13], normals(9, 3, 13, 4, 200))
    assert np.array_equal(uniforms(9, 3, np.arange(20), 4, 200)[5:8, :65], uniforms(9, 3, np.arange(5, 8), 4, 65))


def test_broadcast_over_streams_trials_and_steps() -> None:
    got = uniforms(1, np.array([4, 5]), np.array([7, 8]), 3, 70)
    assert np.array_equal(got[1], uniforms(1, 5, 8, 3, 70))


def test_numbers_are_the_formula() -> None:
    """Uniform to the bit; normal against Box-Muller in float64.

    The float32 polynomials are good to 4e-6: log to 1 ulp of a radius <= 5.9 (5e-7), sine and cosine to 2e-7 of a radius
    <= 5.9 plus the rounding of the reduced angle.
    """
    raw = words(5, 6, 7, 8, 6400)
    unit = (raw >> 8).astype(np.float32)
    assert np.array_equal(uniforms(5, 6, 7, 8, 6400), (unit + np.float32(0.5)) * np.float32(2.0**-24))
    quads = (raw >> 8).astype(np.float64).reshape(-1, 4, 16) * 2.0**-24
    expected = np.empty(quads.shape)
    for first in (0, 2):
        radius = np.sqrt(-2 * np.log(quads[:, first] + 2.0**-25))
        angle = 2 * np.pi * quads[:, first + 1]
        expected[:, first], expected[:, first + 1] = radius * np.cos(angle), radius * np.sin(angle)
    assert np.abs(normals(5, 6, 7, 8, 6400) - expected.ravel()).max() < 4e-6


def test_bits_are_pinned() -> None:
    """The stream layout is a promise to recordings that exist: these bits may only change with STREAM_LAYOUT."""
    bits = normals(42, 7, 3, 2, 130).view(np.uint32)
    assert [hex(word) for word in bits[[0, 17, 40, 63, 64, 129]]] == PINNED


PINNED = ["0x3d7eab55", "0xbd90e8a4", "0x3fbe15da", "0xbef61a3d", "0xbee20859", "0xbf4d3d2e"]
