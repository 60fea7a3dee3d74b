"""Offset and drift from sound: simulated pairs with echo and noise, offsets of up to 600 s and drifts of up to 80 ppm.

    python benchmarks/sync.py 50

Prints the error at both ends of the time that both recorded, and how often the stated residual covers it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from room_sounds import RATE, heard, pair, scene

from visionllm_interaction.interop.sync.sound import NoAlignmentError, align, loudness


def main(count: int) -> None:
    """Run ``count`` related pairs and 20 unrelated or silent ones."""
    errors, covered, refused = [], 0, 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        offset_s = float(rng.uniform(-600, 600))
        seconds = float(abs(offset_s) + rng.uniform(90, 400))
        drift = float(rng.uniform(-80, 80))
        made = pair(rng, seconds=seconds, offset_s=offset_s, drift_ppm=drift, snr_db=float(rng.uniform(3, 15)))
        try:
            found = align(loudness(made.first, RATE), loudness(made.second, RATE))
        except NoAlignmentError as error:
            refused += 1
            print(seed, "refused:", error)
            continue
        both = (max(0.0, -offset_s), min(seconds, seconds - offset_s))
        error = max(abs(found.clock.map(t) - (offset_s + t * (1 + drift * 1e-6))) for t in both)
        errors.append(error)
        covered += error <= found.residual_s
        print(seed, f"offset {offset_s:.1f} both {both[1] - both[0]:.0f} s error {error * 1000:.1f} ms", end=" ")
        print(f"residual {found.residual_s * 1000:.1f} ms, {found.agreeing} of {found.windows}", flush=True)
    all_errors = np.array(errors + [np.inf] * refused)
    print(f"median {np.median(all_errors) * 1000:.1f} ms, 95 % {np.percentile(all_errors, 95) * 1000:.1f} ms,")
    print(f"covered {covered} of {len(errors)}, refused {refused}")
    wrong = 0
    for seed in range(20):
        rng = np.random.default_rng(1000 + seed)
        one = heard(scene(200, rng), rng, snr_db=10)
        other = np.zeros(200 * RATE) if seed % 4 == 0 else heard(scene(200, rng), rng, snr_db=10)
        if seed % 4 == 1:
            other = 0.001 * rng.standard_normal(200 * RATE)
        try:
            align(loudness(one, RATE), loudness(other, RATE))
            wrong += 1
        except NoAlignmentError:
            pass
    print(f"unrelated or silent pairs refused: {20 - wrong} of 20")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
