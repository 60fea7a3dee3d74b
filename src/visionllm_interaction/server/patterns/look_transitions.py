"""Transitions between the targets of somebody's looks, over the videos of a store."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from visionllm_interaction.core.intervals import Intervals, union
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.measures.sequential.looks import looks_in_order, transition_table
from visionllm_interaction.measures.streams.batch import person_key
from visionllm_interaction.measures.streams.coded_spans import coded_time_of
from visionllm_interaction.server.patterns.schemas import LookTransitions
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.csv_safety import to_cell

GAZE = "gaze"


def look_transitions(
    folder: Path,
    *,
    participant: str | None,
    video_id: str | None,
    store_name: str,
    check_export: Callable[[Sequence[str]], None] = lambda _video_ids: None,
) -> LookTransitions:
    """Count which target follows which; no look follows another across time that was not coded, or into a video.

    Args:
        folder: the store.
        participant: whose looks; None: the child's, else the first one's.
        video_id: only of this video; None: of all.
        store_name: what the command calls the store.
        check_export: refuses videos that may not be exported; it is asked about those whose looks are counted.

    Returns:
        The table; its entropies are those of ``transition_entropy`` and ``stationary_entropy`` of the language.
    """
    with open_store(folder) as store:
        looked = {one: _gaze(store, one) for one in store.video_ids()}
        durations = {one: float(store.video(one)["duration_s"]) for one in looked}
        coded = {one: store.codes(one) for one, codes in looked.items() if codes}
    written = sorted({code.participant for codes in looked.values() for code in codes})
    named = {person_key(one): one for one in written}  # in small letters where a file writes them so
    people = sorted(named.values())
    who = participant or named.get("child") or next(iter(people), None)
    chosen = [video_id] if video_id is not None else list(coded)
    pairs: list[tuple[str, str]] = []
    counted: list[str] = []
    for one in chosen:
        own = [code for code in looked.get(one, ()) if person_key(code.participant) == person_key(str(who))]
        if own:
            counted.append(one)
            pairs += _pairs(own, coded_time_of(coded[one], own, str(who), duration_s=durations[one]))
    check_export(counted)
    table = transition_table(pairs)
    question = f'transition_entropy("{who}")' + (f' in video "{video_id}"' if video_id else "")
    return LookTransitions(
        participants=people,
        participant=who,
        videos=len(counted),
        targets=list(table.targets),
        counts=table.counts.tolist(),
        probabilities=[list(row) for row in table.probabilities],
        transition_entropy=table.transition_entropy.value,
        stationary_entropy=table.stationary_entropy.value,
        missing=table.transition_entropy.reason,
        command=shlex.join(["visionllm", "query", question, "--store", store_name]) if who else None,
    )


def _gaze(store: Store, video_id: str) -> list[Code]:
    return [code for code in store.codes(video_id) if code.kind == GAZE]


def _pairs(codes: Sequence[Code], observed: Intervals) -> Iterator[tuple[str, str]]:
    """From where to where, for each look that follows one at another target; labels differ by more than case."""
    looks: dict[str, list[tuple[float, float]]] = {}
    for code in codes:
        looks.setdefault(code.label.strip().lower(), []).append((code.begin_s, code.end_s))
    spans = {target: union(np.array(found, np.float64)) for target, found in looks.items()}
    yield from looks_in_order(spans, observed=observed).pairs


def transitions_csv(found: LookTransitions) -> bytes:
    """One line for each pair of targets, safe for spreadsheets."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["participant", "from", "to", "count", "probability"])
    for one, counts, shares in zip(found.targets, found.counts, found.probabilities, strict=True):
        for other, count, share in zip(found.targets, counts, shares, strict=True):
            cells = [to_cell(str(found.participant)), to_cell(one), to_cell(other)]
            writer.writerow([*cells, count, "" if share is None else share])
    return buffer.getvalue().encode()
