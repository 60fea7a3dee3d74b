"""What the intervals, the planner and the permutation tests of `validity` keep of what they promise.

    python benchmarks/validity.py [--seed N] [--quick]

Every line is a simulation with known truth. Seeds are fixed; --seed moves them all. Writes
benchmarks/results/validity.json.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from validity_toyroom import toyroom_studies

from visionllm_interaction.validity.audit.sampling import detector_classes, draw, expected_spread, strata_of
from visionllm_interaction.validity.design.permutation import flip_children, permute_children, shift_in_time
from visionllm_interaction.validity.estimation.constant_rates import constant_rates
from visionllm_interaction.validity.estimation.prediction_powered import fit_linear
from visionllm_interaction.validity.estimation.side_by_side import Estimate, compare
from visionllm_interaction.validity.estimation.units import Units, simple_units

HERE = Path(__file__).parent
# Hands in 3,922 random frames of two children's head cameras, by mean age in months: true and false positives and
# negatives of a person detector against people's labels (computed from the public annotations of SAYCam studies).
HANDS = {
    "c1": {
        8.8: (27, 8, 10, 58), 10.58: (81, 35, 111, 244), 13.21: (24, 28, 72, 168), 16.97: (39, 20, 56, 166),
        19.36: (57, 35, 63, 169), 22.37: (29, 13, 47, 85), 28.3: (40, 25, 107, 191),
    },
    "c2": {
        7.53: (34, 19, 56, 156), 10.37: (52, 10, 54, 123), 13.5: (60, 23, 57, 120), 16.36: (73, 22, 77, 106),
        19.39: (44, 20, 62, 105), 22.55: (32, 6, 58, 129), 26.88: (57, 29, 110, 220),
    },
}  # fmt: skip
Line = dict[str, Any]


def covers(estimate: Estimate, truth: float) -> bool:
    low, high = estimate.interval.low, estimate.interval.high
    return low is not None and high is not None and low <= truth <= high


def hands() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    child, age, human, seen = [], [], [], []
    for name, by_age in HANDS.items():
        for months, counts in by_age.items():
            for (y, f), count in zip(((1, 1), (0, 1), (1, 0), (0, 0)), counts, strict=True):
                child += [name] * count
                age += [months / 6] * count
                human += [float(y)] * count
                seen += [float(f)] * count
    return np.array(child), np.array(age), np.array(human), np.array(seen)


def real_counts(seed: int, studies: int) -> list[Line]:
    child, age, human, seen = hands()
    stratum = np.full(len(child), "")
    whole = compare(simple_units(child, seen, human, stratum=stratum, covariates={"age": age}), by="age")[0]
    naive, truth = whole.naive, whole.corrected.value or 0.0
    rates = constant_rates(simple_units(child, seen, human, stratum=stratum), age)
    detected, youden = naive.value or 0.0, rates.youden or math.nan
    rng, hits, negative, refused = np.random.default_rng(seed), 0, 0, 0
    for _ in range(studies):
        labels = np.full(len(human), np.nan)
        chosen = rng.choice(len(human), len(human) // 10, replace=False)
        labels[chosen] = human[chosen]
        units = simple_units(child, seen, labels, stratum=stratum, covariates={"age": age})
        corrected = compare(units, by="age")[0].corrected
        hits += covers(corrected, truth)
        negative += corrected.excludes_zero and (corrected.value or 0.0) < 0
        refused += bool(constant_rates(units, age).refusals)
    return [
        {
            "line": "1 hands by age, 3,922 frames",
            "found": f"human {truth:+.4f}, as detected {detected:+.4f} per 6 months "
            f"{'significant' if naive.excludes_zero else 'n.s.'}; constant rates "
            f"{detected / youden:+.4f}, refused: {len(rates.refusals)} reasons",
            "ok": naive.excludes_zero and detected < 0 and bool(rates.refusals),
        },
        {
            "line": f"1 {studies} audits of 10 %: coverage of the human slope",
            "found": f"{hits / studies:.3f}; significantly negative {negative / studies:.3f}; "
            f"constant rates refused in {refused / studies:.3f}",
            "ok": hits / studies >= 0.93 and negative / studies <= 0.03,
        },
    ]


def skewed_study(children: int, rng: np.random.Generator) -> Units:
    """Right-skewed shares of mean 0.2; errors and missing labels that depend on the child and on the class."""
    frames, labels = 240, 40
    share = rng.beta(1.5, 6.0, children)[:, None]
    sensitivity, false_alarms = rng.beta(8, 3, children)[:, None], rng.beta(8, 15, children)[:, None]
    truth = rng.random((children, frames)) < share
    seen = (rng.random(truth.shape) < np.where(truth, sensitivity, false_alarms)).astype(float)
    seen[rng.random(truth.shape) < np.where(truth, 0.03, rng.uniform(0, 0.15, children)[:, None])] = np.nan
    human = np.full(truth.shape, np.nan)
    human[:, :labels] = truth[:, :labels]
    return simple_units(np.repeat([f"c{n:02d}" for n in range(children)], frames), seen.ravel(), human.ravel())


def children_coverage(children: int, seed: int, studies: int) -> list[Line]:
    rng, hits = np.random.default_rng(seed + children), {"as detected": 0, "audit only": 0, "corrected": 0}
    for _ in range(studies):
        found = compare(skewed_study(children, rng), target="children")[0]
        for estimate in (found.naive, found.audit_only, found.corrected):
            hits[estimate.kind] += covers(estimate, 0.2)
    share = {kind: count / studies for kind, count in hits.items()}
    return [
        {
            "line": f"2 {studies} studies of {children} children: coverage",
            "found": f"corrected {share['corrected']:.3f}, audit only {share['audit only']:.3f}, "
            f"as detected {share['as detected']:.3f}",
            "ok": 0.93 <= share["corrected"] <= 0.97 and share["as detected"] < 0.5,
        }
    ]


def width(seed: int, studies: int) -> list[Line]:
    lines, rng = [], np.random.default_rng(seed)
    for phi in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        ratios, limits = [], []
        for _ in range(studies):
            human = (rng.random(4000) < 0.4).astype(float)
            seen = np.where(rng.random(4000) < (1 - phi) / 2 * 1.04, 1 - human, human)
            labels = np.full(4000, np.nan)
            chosen = rng.choice(4000, 300, replace=False)
            labels[chosen] = human[chosen]
            units = simple_units(["c"] * 4000, seen, labels)
            design = np.ones((4000, 1))
            ratios.append(fit_linear(units, design).se[0] / fit_linear(units, design, powered=False).se[0])
            limits.append(math.sqrt(1 - np.corrcoef(human, seen)[0, 1] ** 2))
        ratio = float(np.mean(ratios) / np.mean(limits))
        lines.append({"phi": phi, "ratio": ratio})
    worst = max(line["ratio"] for line in lines)
    found = ", ".join(f"{line['phi']}: {line['ratio']:.3f}" for line in lines)
    return [{"line": "3 width over sqrt(1 − phi²) × audit only", "found": found, "ok": worst <= 1.05}]


def planner(seed: int, studies: int) -> list[Line]:
    rng = np.random.default_rng(seed)
    hits, used, usual, widths, powered = 0, 0.0, 0.0, [], 0.0
    for _ in range(studies):
        children, frames = 8, 1250
        truth = (rng.random((children, frames)) < rng.beta(3, 4, children)[:, None]).ravel()
        score = np.where(truth, rng.beta(4.0, 1.7, truth.size), rng.beta(1.7, 4.0, truth.size))
        seen = (score > 0.5).astype(float)
        seen[rng.random(truth.size) < np.where(truth, 0.03, 0.06)] = np.nan
        child = np.repeat([f"c{n}" for n in range(children)], frames)
        found, labels = planned_audit(child, truth.astype(float), seen, np.abs(score - 0.5) < 0.2, rng)
        share = float(truth.mean())
        hits += covers(found, share)
        used += labels
        widths.append(((found.interval.high or 1) - (found.interval.low or 0)) / 2)
        simple = 1 / (0.03**2 / (1.96**2 * share * (1 - share)) + 1 / truth.size)
        usual += simple
        phi = np.corrcoef(np.nan_to_num(seen), truth)[0, 1]
        powered += 1 / (0.03**2 / (1.96**2 * share * (1 - share) * (1 - phi**2)) + 1 / truth.size)
    reached = float(np.mean(np.array(widths) <= 0.03))
    return [
        {
            "line": f"6 planner, ±3 points, {studies} audits in two rounds",
            "found": f"{used / usual:.3f} × the labels of simple random sampling "
            f"({used / powered:.2f} × with the same correction); "
            f"coverage {hits / studies:.3f}; half width reached in {reached:.2f}, mean {np.mean(widths):.4f}",
            "ok": used / usual <= 0.6 and hits / studies >= 0.93 and float(np.mean(widths)) <= 0.03,
        }
    ]


def planned_audit(
    child: np.ndarray, truth: np.ndarray, seen: np.ndarray, unsure: np.ndarray, rng: np.random.Generator
) -> tuple[Estimate, int]:
    classes, random = detector_classes(seen, unsure), rng.random(len(seen))
    stratum, human = strata_of(child, classes), np.full(len(seen), np.nan)
    sample = draw(stratum, classes, random=random, labels=200, spread=expected_spread(stratum, classes, human))
    for _ in range(3):
        human = np.where(sample.drawn, truth, np.nan)
        chance = sample.inclusion_probability
        units = simple_units(child, seen, human, stratum=stratum, pool=classes, inclusion_probability=chance)
        found = compare(units)[0].corrected
        if ((found.interval.high or 1) - (found.interval.low or 0)) / 2 <= 0.03:
            break
        before = {name: drawn for name, (_, drawn) in sample.sizes.items()}
        spread = expected_spread(stratum, classes, human)
        again = draw(stratum, classes, random=random, half_width=0.03, spread=spread, at_least=before)
        if again.drawn.sum() == sample.drawn.sum():
            break
        sample = again
    return found, int(sample.drawn.sum())


def bouts(rng: np.random.Generator, steps: int, mean_on: float, mean_off: float) -> np.ndarray:
    """A series of bouts and pauses of geometric lengths, from the middle of its life."""
    series, on = np.zeros(0, np.bool_), bool(rng.random() < mean_on / (mean_on + mean_off))
    while len(series) < steps:
        series = np.append(series, np.full(rng.geometric(1 / (mean_on if on else mean_off)), on))
        on = not on
    return series[:steps]


def permutations(seed: int, studies: int) -> list[Line]:
    rng, rejected = np.random.default_rng(seed), np.zeros(3)
    naive = 0
    for n in range(studies):
        means, changes, first, second = [], [], [], []
        for _ in range(14):
            lengths = rng.uniform(10, 40, 4)
            a, b = bouts(rng, 500, lengths[0], lengths[1]), bouts(rng, 500, lengths[2], lengths[3])
            means.append(float(a.mean()))
            changes.append(float(a.mean() - bouts(rng, 500, lengths[0], lengths[1]).mean()))
            first.append(a)
            second.append(b)
        groups = np.arange(14) < 7
        rejected[0] += permute_children(means, groups).p <= 0.05
        rejected[1] += flip_children(changes).p <= 0.05
        rejected[2] += shift_in_time(first[:6], second[:6], permutations=499, seed=n).p <= 0.05
        naive += _frames_shuffled(np.concatenate(first[:6]), np.concatenate(second[:6]))
    share = rejected / studies
    return [
        {
            "line": f"7 {studies} null data sets of autocorrelated bouts: rejected at 5 %",
            "found": f"children between groups {share[0]:.3f}, signs of children {share[1]:.3f}, "
            f"shifts in time {share[2]:.3f}; with shuffled frames {naive / studies:.3f}",
            "ok": bool(((share >= 0.04) & (share <= 0.06)).all()),
        }
    ]


def _frames_shuffled(a: np.ndarray, b: np.ndarray) -> bool:
    """The chi-squared test that takes every step for independent."""
    n = len(a)
    expected = a.mean() * b.mean()
    spread = math.sqrt(a.mean() * (1 - a.mean()) * b.mean() * (1 - b.mean()) / n)
    return bool(spread > 0 and abs((a & b).mean() - expected) > 1.96 * spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations")
    options = parser.parse_args()
    part = 10 if options.quick else 1
    jobs: list[Callable[[], list[Line]]] = [
        partial(children_coverage, 45, options.seed, 1000 // part),
        partial(children_coverage, 20, options.seed, 1000 // part),
        partial(planner, options.seed, 200 // part),
        partial(permutations, options.seed, 1000 // part),
        partial(toyroom_studies, options.seed, 200 // part),
        *(partial(children_coverage, count, options.seed, 1000 // part) for count in (12, 8, 5)),
        partial(real_counts, options.seed, 500 // part),
        partial(width, options.seed, 100 // part),
    ]
    begin = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        lines = [line for lines in pool.map(_call, jobs) for line in lines]
    lines.sort(key=lambda line: line["line"])
    seconds = time.perf_counter() - begin
    for line in lines:
        print(f"{'ok ' if line['ok'] else 'NOT'}  {line['line']}: {line['found']}")
    print(f"seed {options.seed}, {seconds:.0f} s")
    name = "validity.json" if not options.seed else f"validity_seed{options.seed}.json"
    result = {"seed": options.seed, "seconds": round(seconds, 1), "lines": lines}
    (HERE / "results" / name).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _call(job: Callable[[], list[Line]]) -> list[Line]:
    return job()


if __name__ == "__main__":
    main()
