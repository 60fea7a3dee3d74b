"""What the intervals, the planner and the permutation tests of `validity` keep of what they promise.

    python benchmarks/validity/validity.py [--seed N] [--quick]

Every line is a simulation with known truth. Simulations are cut into parts, each with its own seed, which two processes
share. Seeds are fixed; --seed moves them all. Writes benchmarks/results/validity.json.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from validity_toyroom import CHILDREN, QUESTIONS, Question, studies

from visionllm_interaction.validity.audit.sampling import detector_classes, draw, expected_spread, strata_of
from visionllm_interaction.validity.design.permutation import flip_children, permute_children, shift_in_time
from visionllm_interaction.validity.estimation.audited_units import Units, simple_units
from visionllm_interaction.validity.estimation.prediction_powered import fit_linear
from visionllm_interaction.validity.estimation.rogan_gladen import constant_rates
from visionllm_interaction.validity.estimation.side_by_side import Estimate, compare

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
PROCESSES = 2
Counts = dict[str, float]
Array = NDArray[Any]


@dataclass(frozen=True)
class Simulation:
    """One line of the table.

    Attributes:
        line: its number and what it is.
        run: (seed, repetitions) → sums over the repetitions.
        tell: sums and number of repetitions → what was found, and whether that is good.
        repetitions: in all.
        part: repetitions of one part.
    """

    line: str
    run: Callable[[int, int], Counts]
    tell: Callable[[Mapping[str, float], int], tuple[str, bool]]
    repetitions: int
    part: int


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


def whole_hands(_seed: int = 0, _repetitions: int = 1) -> Counts:
    """All labels: the true slope, the detector's, and the one with constant rates of errors."""
    child, age, human, seen = hands()
    units = simple_units(child, seen, human, stratum=np.full(len(child), ""), covariates={"age": age})
    whole, rates = compare(units, by="age")[0], constant_rates(units, age)
    naive = whole.naive
    return {
        "human": whole.corrected.value or 0.0,
        "naive": naive.value or 0.0,
        "significant": float(naive.excludes_zero),
        "youden": rates.youden or math.nan,
        "refusals": float(len(rates.refusals)),
    }


def tell_whole_hands(found: Mapping[str, float], _: int) -> tuple[str, bool]:
    text = (
        f"human {found['human']:+.4f}, as detected {found['naive']:+.4f} per 6 months "
        f"{'significant' if found['significant'] else 'n.s.'}; constant rates "
        f"{found['naive'] / found['youden']:+.4f}, refused: {found['refusals']:.0f} reasons"
    )
    return text, found["naive"] < 0 and bool(found["significant"]) and found["refusals"] > 0


def audited_hands(seed: int, repetitions: int) -> Counts:
    """Audits of 10 % of the real frames."""
    child, age, human, seen = hands()
    stratum, rng = np.full(len(child), ""), np.random.default_rng(seed)
    truth = whole_hands()["human"]
    found: Counts = dict.fromkeys(("covered", "negative", "refused"), 0.0)
    for _ in range(repetitions):
        labels = np.full(len(human), np.nan)
        chosen = rng.choice(len(human), len(human) // 10, replace=False)
        labels[chosen] = human[chosen]
        units = simple_units(child, seen, labels, stratum=stratum, covariates={"age": age})
        corrected = compare(units, by="age")[0].corrected
        found["covered"] += covers(corrected, truth)
        found["negative"] += corrected.excludes_zero and (corrected.value or 0.0) < 0
        found["refused"] += bool(constant_rates(units, age).refusals)
    return found


def tell_audited_hands(found: Mapping[str, float], n: int) -> tuple[str, bool]:
    text = (
        f"human slope covered {found['covered'] / n:.3f}; significantly negative {found['negative'] / n:.3f}; "
        f"constant rates refused in {found['refused'] / n:.3f}"
    )
    return text, found["covered"] / n >= 0.93 and found["negative"] / n <= 0.03


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


def children_coverage(children: int, seed: int, repetitions: int) -> Counts:
    rng = np.random.default_rng(seed)
    found: Counts = dict.fromkeys(("as detected", "audit only", "corrected"), 0.0)
    for _ in range(repetitions):
        three = compare(skewed_study(children, rng), target="children")[0]
        for estimate in (three.naive, three.audit_only, three.corrected):
            found[estimate.kind] += covers(estimate, 0.2)
    return found


def tell_children(found: Mapping[str, float], n: int) -> tuple[str, bool]:
    share = {kind: count / n for kind, count in found.items()}
    text = (
        f"covered by corrected {share['corrected']:.3f}, audit only {share['audit only']:.3f}, "
        f"as detected {share['as detected']:.3f}"
    )
    return text, 0.93 <= share["corrected"] <= 0.97 and share["as detected"] < 0.5


PHIS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def width(seed: int, repetitions: int) -> Counts:
    """Width of the corrected interval over that of the audit alone, and sqrt(1 − phi²) of the same studies."""
    rng = np.random.default_rng(seed)
    found: Counts = {}
    for phi in PHIS:
        for _ in range(repetitions):
            human = (rng.random(4000) < 0.4).astype(float)
            seen = np.where(rng.random(4000) < (1 - phi) / 2 * 1.04, 1 - human, human)
            labels = np.full(4000, np.nan)
            chosen = rng.choice(4000, 300, replace=False)
            labels[chosen] = human[chosen]
            units, design = simple_units(np.full(4000, "c"), seen, labels), np.ones((4000, 1))
            ratio = fit_linear(units, design).se[0] / fit_linear(units, design, powered=False).se[0]
            limit = math.sqrt(1 - np.corrcoef(human, seen)[0, 1] ** 2)
            found[f"ratio {phi}"] = found.get(f"ratio {phi}", 0.0) + float(ratio)
            found[f"limit {phi}"] = found.get(f"limit {phi}", 0.0) + limit
    return found


def tell_width(found: Mapping[str, float], _: int) -> tuple[str, bool]:
    ratios = {phi: found[f"ratio {phi}"] / found[f"limit {phi}"] for phi in PHIS}
    return ", ".join(f"{phi}: {ratio:.3f}" for phi, ratio in ratios.items()), max(ratios.values()) <= 1.05


def toyroom(question: Question) -> Simulation:
    """Studies of rendered videos, from plan to corrected number."""

    def tell(found: Mapping[str, float], n: int) -> tuple[str, bool]:
        text = (
            f"covered by corrected {found['corrected'] / n:.3f}, audit only {found['audit only'] / n:.3f}, as detected "
            f"{found['as detected'] / n:.3f}; width {found['width'] / found['audit width']:.2f} × audit only"
        )
        return text, found["corrected"] / n >= 0.93

    line = f"4 ToyRoom, {CHILDREN} children, {question.measure} of {question.state}"
    return Simulation(line, partial(studies, question), tell, 200, 50)


def planner(seed: int, repetitions: int) -> Counts:
    rng = np.random.default_rng(seed)
    found: Counts = dict.fromkeys(("covered", "labels", "simple", "powered", "half width", "reached"), 0.0)
    for _ in range(repetitions):
        children, frames = 8, 1250
        truth = (rng.random((children, frames)) < rng.beta(3, 4, children)[:, None]).ravel()
        score = np.where(truth, rng.beta(4.0, 1.7, truth.size), rng.beta(1.7, 4.0, truth.size))
        seen = (score > 0.5).astype(float)
        seen[rng.random(truth.size) < np.where(truth, 0.03, 0.06)] = np.nan
        child = np.repeat([f"c{n}" for n in range(children)], frames)
        estimate, labels = planned_audit(child, truth.astype(float), seen, np.abs(score - 0.5) < 0.2, rng)
        share, half = float(truth.mean()), ((estimate.interval.high or 1) - (estimate.interval.low or 0)) / 2
        phi = np.corrcoef(np.nan_to_num(seen), truth)[0, 1]
        found["covered"] += covers(estimate, share)
        found["labels"] += labels
        found["simple"] += _simple_sample(share * (1 - share), truth.size)
        found["powered"] += _simple_sample(share * (1 - share) * (1 - phi**2), truth.size)
        found["half width"] += half
        found["reached"] += half <= 0.03
    return found


def _simple_sample(variance: float, size: int) -> float:
    """Labels of a simple random sample for ±0.03."""
    return 1 / (0.03**2 / (1.96**2 * variance) + 1 / size)


def tell_planner(found: Mapping[str, float], n: int) -> tuple[str, bool]:
    ratio, half = found["labels"] / found["simple"], found["half width"] / n
    text = (
        f"{ratio:.3f} × the labels of simple random sampling ({found['labels'] / found['powered']:.2f} × with the same "
        f"correction); coverage {found['covered'] / n:.3f}; half width reached in {found['reached'] / n:.2f}, "
        f"mean {half:.4f}"
    )
    return text, ratio <= 0.6 and found["covered"] / n >= 0.93 and half <= 0.03


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


def bouts(rng: np.random.Generator, steps: int, mean_on: float, mean_off: float) -> Array:
    """A series of bouts and pauses of geometric lengths, from the middle of its life."""
    first = bool(rng.random() < mean_on / (mean_on + mean_off))
    pairs = int(2 * steps / (mean_on + mean_off)) + 8
    lengths = np.stack([rng.geometric(1 / mean_on, pairs), rng.geometric(1 / mean_off, pairs)], axis=1)
    states = np.tile([True, False], pairs)
    if not first:
        lengths, states = lengths[:, ::-1], ~states
    series = np.repeat(states, lengths.ravel())
    return series[:steps] if len(series) >= steps else bouts(rng, steps, mean_on, mean_off)


def permutations(seed: int, repetitions: int) -> Counts:
    rng = np.random.default_rng(seed)
    found: Counts = dict.fromkeys(("groups", "signs", "shifts", "frames"), 0.0)
    for n in range(repetitions):
        means, changes, first, second = [], [], [], []
        for _ in range(14):
            lengths = rng.uniform(10, 40, 4)
            a, b = bouts(rng, 500, lengths[0], lengths[1]), bouts(rng, 500, lengths[2], lengths[3])
            means.append(float(a.mean()))
            changes.append(float(a.mean() - bouts(rng, 500, lengths[0], lengths[1]).mean()))
            first.append(a)
            second.append(b)
        found["groups"] += permute_children(means, np.arange(14) < 7).p <= 0.05
        found["signs"] += flip_children(changes).p <= 0.05
        found["shifts"] += shift_in_time(first[:6], second[:6], permutations=499, seed=seed + n).p <= 0.05
        found["frames"] += _frames_shuffled(np.concatenate(first[:6]), np.concatenate(second[:6]))
    return found


def tell_permutations(found: Mapping[str, float], n: int) -> tuple[str, bool]:
    share = {name: count / n for name, count in found.items()}
    text = (
        f"rejected at 5 %: children between groups {share['groups']:.3f}, signs of children {share['signs']:.3f}, "
        f"shifts in time {share['shifts']:.3f}; with shuffled frames {share['frames']:.3f}"
    )
    return text, all(0.04 <= share[name] <= 0.06 for name in ("groups", "signs", "shifts"))


def _frames_shuffled(a: np.ndarray, b: np.ndarray) -> bool:
    """The chi-squared test that takes every step for independent."""
    n = len(a)
    expected = a.mean() * b.mean()
    spread = math.sqrt(a.mean() * (1 - a.mean()) * b.mean() * (1 - b.mean()) / n)
    return bool(spread > 0 and abs((a & b).mean() - expected) > 1.96 * spread)


def simulations(part: int) -> list[Simulation]:
    """All lines; ``part`` divides the repetitions."""
    lines = [
        Simulation("1 hands by age, 3,922 frames", whole_hands, tell_whole_hands, 1, 1),
        Simulation("1 audits of 10 % of them", audited_hands, tell_audited_hands, 500, 125),
        *(
            Simulation(f"2 studies of {count:2d} children", partial(children_coverage, count), tell_children, 1000, 125)
            for count in (5, 8, 12, 20, 45)
        ),
        Simulation("3 width over sqrt(1 − phi²) × audit only, by phi", width, tell_width, 100, 50),
        *(toyroom(question) for question in QUESTIONS),
        Simulation("6 planner, ±3 points, audits in two rounds", planner, tell_planner, 200, 25),
        # Shares of 1,000 data sets lie outside 0.04 to 0.06 by chance in every third run; those of 4,000 do not.
        Simulation("7 null data sets of autocorrelated bouts", permutations, tell_permutations, 4000, 500),
    ]
    return [
        Simulation(
            one.line, one.run, one.tell, max(one.repetitions // part, 1), max(min(one.part, one.repetitions // part), 1)
        )
        for one in lines
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations")
    options = parser.parse_args()
    lines, begin = simulations(10 if options.quick else 1), time.perf_counter()
    jobs = [
        (number, seed, min(one.part, one.repetitions - done))
        for number, one in enumerate(lines)
        for done, seed in zip(
            range(0, one.repetitions, one.part), _seeds(options.seed, number, one.repetitions), strict=False
        )
    ]
    with ProcessPoolExecutor(PROCESSES) as pool:
        ran = list(pool.map(_run, *zip(*((lines[k].run, seed, count) for k, seed, count in jobs), strict=True)))
    found = []
    for number, one in enumerate(lines):
        parts = [counts for (k, _, _), (counts, _) in zip(jobs, ran, strict=True) if k == number]
        cpu_s = sum(seconds for (k, _, _), (_, seconds) in zip(jobs, ran, strict=True) if k == number)
        sums = {name: sum(part[name] for part in parts) for name in parts[0]}
        text, ok = one.tell(sums, one.repetitions)
        title = one.line if one.repetitions == 1 else f"{one.line} ({one.repetitions})"
        found.append({"line": title, "found": text, "ok": ok, "cpu_s": round(cpu_s, 1)})
        sys.stdout.write(f"{'ok ' if ok else 'NOT'}  {title}: {text}  [{cpu_s:.0f} s]\n")
    seconds, cpu = time.perf_counter() - begin, sum(seconds for _, seconds in ran)
    sys.stdout.write(f"seed {options.seed}, {seconds:.0f} s, {cpu:.0f} s of processor time\n")
    if not options.quick:
        name = "validity.json" if not options.seed else f"validity_seed{options.seed}.json"
        result = {"seed": options.seed, "seconds": round(seconds, 1), "cpu_s": round(cpu, 1), "lines": found}
        text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
        (HERE.parent / "results" / name).write_text(text, encoding="utf-8")


def _seeds(seed: int, line: int, count: int) -> list[int]:
    """A seed for each part of a line."""
    return np.random.SeedSequence([seed, line]).generate_state(count).tolist()


def _run(run: Callable[[int, int], Counts], seed: int, count: int) -> tuple[Counts, float]:
    begin = time.process_time()
    found = run(seed, count)
    return found, time.process_time() - begin


if __name__ == "__main__":
    main()
