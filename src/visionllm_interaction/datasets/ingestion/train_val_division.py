"""Divide a source that names no val: whole groups where it is known what belongs together, else the last by name.

Stage 3 can divide anew with more conditions (``transform.splits``); this is for data that has no split at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visionllm_interaction.utils.hashing import sha256_value

_LARGEST_SEARCH = 400
_ABSENCE_COST = 0.05
"""A category that only one side has weighs as much as a val that is 5 % of the images off its share."""


@dataclass(frozen=True, slots=True)
class Division:
    """How to divide: the share of val, and which group an image is of."""

    share: float
    group_of: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class SplitCandidate:
    """What counts of an image when data is divided."""

    name: str
    categories: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Group:
    images: int
    categories: frozenset[str]


def val_names(members: Sequence[SplitCandidate], division: Division) -> set[str]:
    """The names of the images that become val.

    Whole groups go to one side, so that val is near its share and has every category that several groups have; the
    choice depends on names only. Without groups val is the last share by name: neighbours in a recording stay together.
    """
    names_of: dict[str, list[SplitCandidate]] = {}
    for member in members:
        key = division.group_of(member.name) if division.group_of else None
        names_of.setdefault(f"alone:{member.name}" if key is None else f"group:{key}", []).append(member)
    if len(names_of) < 2 or not any(key.startswith("group:") for key in names_of):
        return set(last_share([member.name for member in members], division.share))
    keys = sorted(names_of, key=sha256_value)
    groups = [
        _Group(len(names_of[key]), frozenset().union(*(member.categories for member in names_of[key]))) for key in keys
    ]
    chosen = _search(groups, division.share)
    return {member.name for key, into_val in zip(keys, chosen, strict=True) if into_val for member in names_of[key]}


def last_share(names: Sequence[str], share: float) -> list[str]:
    """The last ``share`` of ``names`` in their order: neighbours in a recording stay together, but for one seam."""
    ordered = sorted(names)
    return ordered[len(ordered) - max(round(share * len(ordered)), 1) :] if len(ordered) > 1 else []


def _search(groups: Sequence[_Group], share: float) -> list[bool]:
    """Which groups become val: from a first filling, the best single move or exchange until none is better."""
    wanted = share * sum(group.images for group in groups)
    chosen, filled = [False] * len(groups), 0
    for at, group in enumerate(groups):
        if filled + group.images <= wanted or (filled == 0 and at == len(groups) - 1):
            chosen[at], filled = True, filled + group.images
    best = _cost(groups, chosen, share)
    while True:
        moves = [_moved(chosen, (at,)) for at in range(len(groups))]
        if len(groups) <= _LARGEST_SEARCH:
            inside, outside = ([at for at, val in enumerate(chosen) if val is side] for side in (True, False))
            moves += [_moved(chosen, (a, b)) for a in inside for b in outside]
        cost, move = min(((_cost(groups, move, share), move) for move in moves), key=lambda entry: entry[0])
        if cost >= best - 1e-12:
            return chosen
        chosen, best = move, cost


def _moved(chosen: Sequence[bool], places: tuple[int, ...]) -> list[bool]:
    return [value is not (at in places) for at, value in enumerate(chosen)]


def _cost(groups: Sequence[_Group], chosen: Sequence[bool], share: float) -> float:
    total = sum(group.images for group in groups)
    in_val = sum(group.images for group, val in zip(groups, chosen, strict=True) if val)
    if in_val in (0, total):
        return float("inf")
    holders = Counter(category for group in groups for category in group.categories)
    val = Counter(c for group, into_val in zip(groups, chosen, strict=True) if into_val for c in group.categories)
    one_sided = sum(1 for category, count in holders.items() if count > 1 and val[category] in (0, count))
    return abs(in_val / total - share) + _ABSENCE_COST * one_sided
