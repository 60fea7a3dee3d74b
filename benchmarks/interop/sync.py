"""Offset and drift from sound: pairs of ToyRoom microphones with echo, pink noise and clocks of their own.

    python benchmarks/interop/sync.py [PAIRS] [PROCESSES]

Each pair is one conversation in one room, recorded by two views: offsets of up to 600 s, drifts of up to 80 ppm, other
starts and ends, 90 to 400 s in common, 3 to 15 dB of speech over noise. Prints, and writes to results/sync.json, the
error of the clock (the larger one at both ends of the common time), how often the stated residual covers it, and how
many of 20 silent or unrelated pairs are refused. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from visionllm_bench.toyroom.sensors.microphones import Sound, random_microphone, record, voices
from visionllm_bench.toyroom.sensors.speech import random_speech
from visionllm_interaction.interop.sync.sound_alignment import RATE_HZ, NoAlignmentError, align, loudness

SPEAKERS = ("child", "caregiver")
CATEGORIES = ("ball", "book", "cup", "teddy bear", "car", "block")
UNRELATED = 20
TARGETS = {"median_ms": 20.0, "p95_ms": 60.0, "covered": 0.95}


@dataclass(frozen=True)
class Found:
    """One pair: its truth and what was found."""

    seed: int
    offset_s: float
    drift_ppm: float
    common_s: float
    error_s: float | None
    residual_s: float | None
    agreeing: int
    windows: int
    cpu_s: float


def pair_of(seed: int) -> Found:
    """Make a pair and align it."""
    rng = np.random.default_rng([2026, seed])
    offset_s, drift_ppm = float(rng.uniform(-600, 600)), float(rng.uniform(-80, 80))
    common_s = float(rng.uniform(90, 400))
    first_s = max(offset_s, 0.0) + common_s + float(rng.uniform(0, 60))
    second_s = max(-offset_s, 0.0) + common_s
    begin_s, end_s = min(offset_s, 0.0) - 1, max(first_s, offset_s + second_s) + 1
    dry = _conversation(rng, begin_s, end_s)
    recordings = [
        record(rng, dry, microphone, begin_s=begin_s, duration_s=length_s, rate_hz=RATE_HZ)
        for microphone, length_s in (
            (random_microphone(rng), first_s),
            (random_microphone(rng, offset_s=offset_s, drift_ppm=drift_ppm), second_s),
        )
    ]
    started = time.process_time()
    truth = (seed, offset_s, drift_ppm, common_s)
    try:
        found = align(*(loudness(sound, RATE_HZ) for sound in recordings))
    except NoAlignmentError:
        return Found(*truth, None, None, 0, 0, time.process_time() - started)
    # The own times of the second recording at which the common time begins and ends.
    both = (max(0.0, -offset_s), min(second_s, first_s - offset_s))
    error = max(abs(found.clock.map(t) - (offset_s + t * (1 + drift_ppm * 1e-6))) for t in both)
    seconds = time.process_time() - started
    return Found(*truth, error, found.residual_s, found.agreeing, found.windows, seconds)


def _conversation(rng: np.random.Generator, begin_s: float, end_s: float) -> dict[str, Sound]:
    said = random_speech(rng, speakers=SPEAKERS, categories=CATEGORIES, begin_s=begin_s, end_s=end_s)
    return voices(rng, said, begin_s=begin_s, end_s=end_s, rate_hz=RATE_HZ)


def is_refused(seed: int) -> bool:
    """Whether a pair is refused of which one recording is silent, mere noise, or of another conversation."""
    rng = np.random.default_rng([4052, seed])
    length_s = float(rng.uniform(120, 400))
    sounds = [
        record(
            rng,
            _conversation(rng, 0.0, length_s),
            random_microphone(rng),
            begin_s=0.0,
            duration_s=length_s,
            rate_hz=RATE_HZ,
        )
        for _ in range(2)
    ]
    if seed % 4 == 0:
        sounds[1] = np.zeros_like(sounds[1])
    elif seed % 4 == 1:
        sounds[1] = (0.001 * rng.standard_normal(len(sounds[1]))).astype(np.float32)
    try:
        align(*(loudness(sound, RATE_HZ) for sound in sounds))
    except NoAlignmentError:
        return True
    return False


def main(count: int, processes: int) -> int:
    """Run all pairs; 0 if every target is met."""
    started = time.monotonic()
    print(f"{'pair':>4} {'offset s':>9} {'drift ppm':>9} {'common s':>8} {'error ms':>8} {'stated ms':>9}  parts")
    found = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for one in pool.map(pair_of, range(count)):
            found.append(one)
            print(_row(one), flush=True)
        refused = sum(pool.map(is_refused, range(UNRELATED)))
    errors_ms = np.array([np.inf if one.error_s is None else 1000 * one.error_s for one in found])
    covered = [one.error_s is not None and one.error_s <= (one.residual_s or 0.0) for one in found]
    result = {
        "pairs": count,
        "median_ms": float(np.median(errors_ms)),
        "p95_ms": float(np.percentile(errors_ms, 95)),
        "largest_ms": float(errors_ms.max()),
        "aligned": sum(one.error_s is not None for one in found),
        "covered": float(np.mean(covered)),
        "median_stated_ms": 1000 * float(np.median([one.residual_s for one in found if one.residual_s is not None])),
        "unrelated_refused": refused,
        "unrelated": UNRELATED,
        "seconds": time.monotonic() - started,
        "processes": processes,
    }
    good = (
        result["median_ms"] <= TARGETS["median_ms"]
        and result["p95_ms"] <= TARGETS["p95_ms"]
        and result["covered"] >= TARGETS["covered"]
        and refused == UNRELATED
    )
    print(
        f"{result['aligned']} of {count} aligned; error: median {result['median_ms']:.1f} ms (target at most 20), "
        f"95 % {result['p95_ms']:.1f} ms (60), largest {result['largest_ms']:.1f} ms"
    )
    print(f"the stated residual (median {result['median_stated_ms']:.1f} ms) covers {result['covered']:.3f} (0.95)")
    print(f"silent or unrelated pairs refused: {refused} of {UNRELATED}; {result['seconds']:.0f} s")
    out = Path(__file__).parents[1] / "results" / "sync.json"
    out.write_text(json.dumps({**result, "of_pairs": [asdict(one) for one in found]}, indent=1) + "\n")
    return 0 if good else 1


def _row(one: Found) -> str:
    start = f"{one.seed:>4} {one.offset_s:>9.1f} {one.drift_ppm:>9.1f} {one.common_s:>8.0f}"
    if one.error_s is None or one.residual_s is None:
        return f"{start}  refused"
    stated = f"{1000 * one.error_s:>8.1f} {1000 * one.residual_s:>9.1f}"
    return f"{start} {stated}  {one.agreeing} of {one.windows}"


if __name__ == "__main__":
    arguments = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*(arguments + [50, 2][len(arguments) :])))
