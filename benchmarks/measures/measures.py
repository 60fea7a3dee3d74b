"""How far measures are off: against formulas, mirrored, rescaled, at 10 and 30 frames a second, over an uneven hour.

    python benchmarks/measures/measures.py

The scenes are those of ``tests/measures/test_measures_closed_form.py``. Figures go to
benchmarks/results/measures.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tests/measures"), str(HERE.parents[1] / "tests/support")]

from test_measures_closed_form import HEIGHT, WIDTH, box, frames_at, play, publish, tidy, value  # noqa: E402

from visionllm_interaction.measures.api import Query  # noqa: E402
from visionllm_interaction.store.reader import open_store  # noqa: E402

RESULTS = HERE.parent / "results" / "measures.json"
Tidy = dict[tuple[object, ...], object]


def worst(one: Tidy, other: Tidy) -> float:
    """Largest relative difference of two tables of the same rows; infinite if one lacks a value of the other."""
    if set(one) != set(other) or any((one[key] is None) != (other[key] is None) for key in one):
        return float("inf")
    pairs = [(float(str(one[key])), float(str(other[key]))) for key in one if one[key] is not None]
    return max(abs(a - b) / max(abs(a), 1.0) for a, b in pairs)


def formulas(folder: Path) -> float:
    """Largest error of size, centredness, visible time and gap of a growing, moving box that is known exactly."""
    n, fps = 200, 20
    frames = frames_at(np.arange(n) / fps)
    index = np.arange(n, dtype=np.float64)
    things = {1: ("child", box(100, 100, 50, 200, n)), 2: ("ball", box(200 + index, 150, 10 + index, 20, n))}
    publish(folder, "v", frames, things)
    right = np.minimum(200 + index + 10 + index, WIDTH)
    true = {
        Query("visible_duration", "ball"): n / fps,
        Query("object_size", "ball"): float(np.mean((right - 200 - index) * 20) / (WIDTH * HEIGHT)),
        Query("mean_gap", "child", "ball"): float(np.mean(50 + index) / 200),
        Query("centredness", "ball"): float(
            np.mean(1 - np.hypot(2 * (200 + index) + 10 + index - WIDTH, 2 * 160 - HEIGHT) / np.hypot(WIDTH, HEIGHT))
        ),
    }
    with open_store(folder) as store:
        return max(abs(value(store, query) - expected) for query, expected in true.items())


def other_pictures(folder: Path) -> dict[str, float]:
    """The same play mirrored and four times as large."""
    frames = frames_at(np.arange(300) / 25)
    things = {i: (name, np.round(boxes)) for i, (name, boxes) in play(frames.timestamp_s).items()}
    mirrored = {i: (name, np.abs(b[:, [2, 1, 0, 3]] - [WIDTH, 0, WIDTH, 0])) for i, (name, b) in things.items()}
    publish(folder / "plain", "v", frames, things)
    publish(folder / "mirrored", "v", frames, mirrored)
    publish(folder / "large", "v", frames, {i: (name, boxes * 4) for i, (name, boxes) in things.items()}, scale=4)
    side = {"left_of": "right_of", "right_of": "left_of"}
    turned = {(*k[:3], side.get(str(k[3]), k[3])): v for k, v in tidy(folder / "mirrored").items()}
    plain = tidy(folder / "plain")
    return {"values": len(plain), "mirrored": worst(plain, turned), "four times": worst(plain, tidy(folder / "large"))}


def other_rates(folder: Path) -> dict[str, float]:
    """Largest difference in seconds of all durations at 10 and at 30 frames a second; one frame is 0.1 s."""
    tables = []
    for fps in (10, 30):
        frames = frames_at(np.arange(12 * fps) / fps)
        publish(folder / str(fps), "v", frames, play(frames.timestamp_s))
        tables.append(tidy(folder / str(fps)))
    slow, fast = tables
    keys = [key for key, v in slow.items() if str(key[2]).endswith(("_duration", "_bout")) and v is not None]
    return {
        "durations": len(keys),
        "largest difference s": max(abs(float(str(slow[k])) - float(str(fast[k]))) for k in keys),
    }


def uneven_hour(folder: Path) -> dict[str, float]:
    """Frames 1/60 to 1/2 s apart for an hour: how far the last sighting and the sum of all are from the time stamps."""
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.choice([1 / 60, 1 / 30, 1 / 24, 0.1, 0.5], 60_000))
    times = times[times < 3600]
    seen = (np.arange(len(times)) // 500) % 2 == 0
    ball = box(10, 10, 20, 20, len(times))
    ball[~seen] = np.nan
    publish(folder, "v", frames_at(times), {1: ("ball", ball)})
    lengths = np.append(np.diff(times), np.median(np.diff(times)))
    with open_store(folder) as store:
        last, total = (value(store, Query(name, "ball")) for name in ("last_seen", "visible_duration"))
    true_last, true_total = float(times[np.flatnonzero(seen)[-1]]), float(lengths[seen].sum())
    return {
        "frames": len(times),
        "drift of last_seen s": abs(last - true_last),
        "of the sum s": abs(total - true_total),
    }


def main() -> None:
    """Run, print, write."""
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        figures: dict[str, Any] = {
            "formulas: largest error": formulas(base / "formulas"),
            "same scene, other image: largest relative difference": other_pictures(base / "pictures"),
            "10 and 30 frames a second": other_rates(base / "rates"),
            "an hour of uneven frames": uneven_hour(base / "hour"),
        }
    print(json.dumps(figures, indent=1))
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
