"""What an expression is computed for: videos or bins, times the names of its variables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from msgspec import Struct

from visionllm_interaction.core.grouped_arrays import Ints, ranked
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.stream_scopes import Name, NameTable, Scopes, StreamGroups, time_bins

MAX_GROUPS = 2_000_000
"""Most groups (videos × windows × names) that one expression may be computed for."""


class Axis(Struct, frozen=True):
    """A variable and its names."""

    variable: str
    names: Sequence[Name]
    pooled: bool


class GroupTable(Struct, frozen=True, eq=False):
    """Groups and how they make values together.

    Attributes:
        groups: scopes × names.
        output: (G,) the value that each group is part of.
        count: number of values.
        fine: (G,) the same for each scope by itself.
        fine_count: number of those.
        axes: the variables.
        places: (G, A) which name of each variable.
    """

    groups: StreamGroups
    output: Ints
    count: int
    fine: Ints
    fine_count: int
    axes: Sequence[Axis]
    places: Ints

    @classmethod
    def of(cls, batch: Batch, names: NameTable, scopes: Scopes, axes: Sequence[Axis], outer: Ints) -> GroupTable:
        """The product of scopes and the names of all variables.

        A name that has values of its own is left out of videos in which everybody of it goes by a role: there is nobody
        to measure, which is not 0.
        """
        sizes = [len(axis.names) for axis in axes]
        if len(scopes) * int(np.prod(sizes, dtype=np.int64)) > MAX_GROUPS:
            raise UsageError(
                "The expression is about too many names and videos at once.",
                expected=f"at most {MAX_GROUPS} combinations",
                found=" × ".join(map(str, [len(scopes), *sizes])),
                fix="name the values of a variable: by $o in (ball, cup)",
            )
        every = list(product(*(range(size) for size in sizes)))
        combos = np.array(every, dtype=np.int64).reshape(len(every), len(axes))
        scope = np.repeat(np.arange(len(scopes)), len(combos))
        places = np.tile(combos, (len(scopes), 1))
        codes = [np.array([names.code(name) for name in axis.names], dtype=np.int64) for axis in axes]
        kept = [n for n, axis in enumerate(axes) if not axis.pooled]
        has_some = np.ones(len(scope), np.bool_)
        for n in kept:
            otherwise = np.array([names.are_named_otherwise(code) for code in codes[n].tolist()], dtype=np.bool_)
            if otherwise.any():
                has_some &= ~otherwise[places[:, n], scopes.video[scope]]
        scope, places = scope[has_some], places[has_some]
        bindings = {axis.variable: codes[n][places[:, n]] for n, axis in enumerate(axes)}
        n_outer = int(outer.max(initial=-1)) + 1
        inner = np.zeros(len(scope), np.int64)
        for n in kept:
            inner = inner * max(sizes[n], 1) + places[:, n]
        n_inner = int(np.prod([max(sizes[n], 1) for n in kept], dtype=np.int64)) if kept else 1
        output = outer[scope] * n_inner + inner
        fine = output * max(len(scopes), 1) + scope
        _, fine = ranked(fine)
        groups = StreamGroups(batch, names, scopes, scope, bindings)
        return cls(groups, output, n_outer * n_inner, fine, int(fine.max(initial=-1)) + 1, axes, places)

    def members(self, place: int) -> Ints:
        """The groups of a value."""
        return np.flatnonzero(self.output == place)

    def names_of(self, place: int, group: int | None = None) -> dict[str, str]:
        """Variable → name of a value."""
        one = int(self.members(place)[0]) if group is None else group
        chosen = [(n, axis) for n, axis in enumerate(self.axes) if group is not None or not axis.pooled]
        return {axis.variable: str(axis.names[int(self.places[one, n])]) for n, axis in chosen}


def scopes_of(batch: Batch, bin_s: float | None) -> Scopes:
    """Every video, or every bin of every video in which a frame was processed."""
    n = len(batch.video_ids)
    if bin_s is None:
        return Scopes(np.arange(n), np.full(n, -np.inf), np.full(n, np.inf))
    bins = time_bins(batch, bin_s)
    some = bins.processed_in(batch).any
    return Scopes(bins.video[some], bins.begin_s[some], bins.end_s[some])
