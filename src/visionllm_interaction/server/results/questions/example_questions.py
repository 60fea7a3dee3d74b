"""Questions that the store can answer, made from what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.store.reader import Store

MOST = 4
_LONG_RELATIONS = ("holding", "in_contact", "near")
_PATTERNS = {
    "holding": "How long does the {subject} hold the {object}?",
    "in_contact": "How long is the {subject} in contact with the {object}?",
    "near": "How long are the {subject} and the {object} near each other?",
}
_KINDS = {
    "speech": "How long does the {who} speak?",
    "gaze": "How long does the {who} look at the {what}?",
}


def example_questions(
    store: Store, video_id: str, *, reason: ReasonConfig, measures: MeasuresConfig, most: int = MOST
) -> list[str]:
    """Questions about one video that are answered.

    Args:
        store: the open store.
        video_id: the video they are about.
        reason: how questions are answered; only the rules are asked.
        measures: definitions of measures.
        most: largest number of questions.

    Returns:
        The questions, without the video's name; each was asked of this video and has an answer.
    """
    found: list[str] = []
    for question in _candidates(store, video_id):
        about = f"{question.rstrip('?')} in {video_id}?"
        answer = ask(about, store.path, config=reason, planner="rules", measures=measures)
        if answer.status == "answered" and question not in found:
            found.append(question)
        if len(found) == most:
            break
    return found


def _candidates(store: Store, video_id: str) -> Iterator[str]:
    tracks, relations = store.tracks(video_id), store.relations(video_id)
    names = _names(tracks)
    if names:
        yield f"How long is the {names[0]} visible?"
    yield from _of_relations(tracks, relations)
    for code in store.codes(video_id):
        if code.kind in _KINDS and code.participant:
            yield _KINDS[code.kind].format(who=code.participant.lower(), what=code.label.lower())
            break
    for name in names[1:]:
        yield f"How long is the {name} visible?"
    if len(names) > 1:
        yield f"How often is the {names[0]} near the {names[1]}?"


def _names(tracks: Sequence[Track]) -> list[str]:
    """Roles and categories, those seen most first."""
    seconds: dict[str, float] = {}
    for track in tracks:
        name = track.role or track.category
        seconds[name] = seconds.get(name, 0.0) + track.end_s - track.begin_s
    return sorted(seconds, key=lambda name: -seconds[name])


def _of_relations(tracks: Sequence[Track], relations: Sequence[Relation]) -> Iterator[str]:
    """One question for each kind of relation, about the pair of whom it holds longest."""
    names = {track.track_id: track.role or track.category for track in tracks}
    for predicate in _LONG_RELATIONS:
        seconds: dict[tuple[str, str], float] = {}
        for one in relations:
            if one.predicate == predicate:
                pair = (names.get(one.subject_track_id, ""), names.get(one.object_track_id, ""))
                seconds[pair] = seconds.get(pair, 0.0) + one.end_s - one.begin_s
        pairs = [pair for pair in seconds if all(pair) and pair[0] != pair[1]]
        if pairs:
            subject, thing = max(pairs, key=lambda pair: seconds[pair])
            yield _PATTERNS[predicate].format(subject=subject, object=thing)
