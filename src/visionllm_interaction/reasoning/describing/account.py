"""An account of a video from its tracks and events: few sentences, each of which cites its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.core.tracks_relations_events import Event, Track
from visionllm_interaction.reasoning.answers import Claim
from visionllm_interaction.reasoning.execution.intervals import frames_between
from visionllm_interaction.reasoning.grammar.lexicon import Language
from visionllm_interaction.reasoning.wording.expression_words import Words, load_words
from visionllm_interaction.store.reader import Store

SENTENCES_PER_MINUTE = 12
"""Most sentences for a minute of video; an account of many events says several of them in one sentence."""
_TOLD = frozenset({"enters", "leaves", "picks_up", "puts_down", "hands_over"})
_MOST_LISTED = 12
_MOST_OF_A_NAME = 4
"""How many tracks of one name are told one by one; more of them may well be pieces of the same few."""
_DECIMALS = 6


@dataclass(frozen=True)
class Account:
    """What happens in a video.

    Attributes:
        video_id: the video.
        claims: the sentences, in the order of time.
        evidence: what they cite: seconds in view, and events.
        begin_s: begin of the part that is told, in seconds.
        end_s: end of it.
    """

    video_id: str
    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    begin_s: float
    end_s: float

    @property
    def text(self) -> str:
        """The sentences."""
        return " ".join(claim.text for claim in self.claims)


def describe_video(
    store: Store,
    video_id: str,
    *,
    begin_s: float | None = None,
    end_s: float | None = None,
    language: Language = "en",
    first_number: int = 1,
) -> Account:
    """Tell what happens in one video.

    Args:
        store: the open store.
        video_id: the video.
        begin_s: tell only what happens from here on, in seconds.
        end_s: tell only what happens before, in seconds.
        language: of the sentences.
        first_number: number of the first piece of evidence.

    Returns:
        At most :data:`SENTENCES_PER_MINUTE` sentences a minute: who and what is in view, then every event.

    Raises:
        StoreError: if the video is not in the store.
    """
    duration_s = float(store.record(video_id).duration_s)
    begin = max(begin_s or 0.0, 0.0)
    end = duration_s if end_s is None else min(end_s, duration_s)
    teller = _Teller(store, video_id, begin, end, load_words(language), first_number)
    claims = tuple(teller.sentences())
    return Account(video_id, claims, tuple(teller.evidence), begin, end)


class _Teller:
    """Makes the sentences of one account and collects their evidence."""

    def __init__(
        self, store: Store, video_id: str, begin_s: float, end_s: float, words: Words, first_number: int
    ) -> None:
        self.store, self.video_id, self.begin_s, self.end_s, self.words = store, video_id, begin_s, end_s, words
        self.tracks = {track.track_id: track for track in store.tracks(video_id)}
        self.evidence: list[Evidence] = []
        self._number = first_number

    def sentences(self) -> Iterator[Claim]:
        """Every sentence, in the order of time."""
        budget = max(1, int(SENTENCES_PER_MINUTE * (self.end_s - self.begin_s) / 60))
        told = [e for e in self.store.events(self.video_id) if e.kind in _TOLD and self._is_within(e)]
        if budget > 1 or not told:
            yield self._who_is_in_view()
            budget -= 1
        if not told:
            if budget:
                yield self._nothing_happened()
            return
        yield from (self._sentence(group) for group in _groups(told, budget))

    def _is_within(self, event: Event) -> bool:
        return self.begin_s <= event.begin_s < self.end_s

    def _who_is_in_view(self) -> Claim:
        seconds = self._seconds_in_view()
        ids = [self._cite("visible_duration", value, "s", tracks, span) for _, value, tracks, span in seconds]
        parts = [
            self.words.account["seconds"].format(a=said, v=self.words.amount(value, "s"))
            for said, value, _, _ in seconds[:_MOST_LISTED]
        ]
        text = (
            self.words.account["in_view"].format(v=self.words.listed(parts)) if parts else self.words.account["nobody"]
        )
        if not ids:
            ids = [self._cite("visible_duration", 0.0, "s", (), (self.begin_s, self.end_s))]
        return self._claim(text, len(seconds), ids)

    def _seconds_in_view(self) -> list[tuple[str, float, tuple[int, ...], tuple[float, float]]]:
        """Who or what, seconds in view, tracks, and first and last time of it, people first."""
        spans: dict[int, list[tuple[float, float]]] = {}
        for track_id, sightings in self.store.sightings(self.video_id).items():
            cut = [(max(b, self.begin_s), min(e, self.end_s)) for b, e in sightings]
            inside = [(b, e) for b, e in cut if e > b]
            if _name(self.tracks.get(track_id)) and inside:
                spans[track_id] = inside
        found = []
        for said, tracks in self._told_apart(spans).items():
            seen = [span for track_id in tracks for span in spans[track_id]]
            found.append((said, _covered_s(seen), tuple(tracks), (min(seen)[0], max(e for _, e in seen))))
        return found

    def _told_apart(self, seen: Iterable[int]) -> dict[str, list[int]]:
        """How each track is called → itself; many tracks of one name are told together, by their number."""
        named: dict[str, list[int]] = {}
        for track_id in sorted(seen):
            named.setdefault(str(_name(self.tracks[track_id])), []).append(track_id)
        found: dict[str, list[int]] = {}
        for name in sorted(named, key=lambda name: (name not in PERSON_CATEGORIES, name != "child", name)):
            tracks = named[name]
            if len(tracks) > _MOST_OF_A_NAME:
                said = self.words.account["tracks"].format(name=self.words.bare.get(name, name), n=len(tracks))
                found[said] = tracks
            else:
                found |= {self._label(track_id): [track_id] for track_id in tracks}
        return found

    def _nothing_happened(self) -> Claim:
        identifier = self._cite("event_count", 0, "count", (), (self.begin_s, self.end_s))
        return self._claim(self.words.account["quiet"], 0, [identifier])

    def _sentence(self, group: Sequence[Event]) -> Claim:
        parts, ids = [], []
        for event in group:
            parts.append(
                self.words.account["moment"].format(x=self._clause(event), v=self.words.amount(event.begin_s, "s"))
            )
            ids.append(
                self._cite(
                    event.kind, round(event.begin_s, _DECIMALS), "s", event.track_ids, (event.begin_s, event.end_s)
                )
            )
        return self._claim(self.words.listed(parts), len(group), ids)

    def _clause(self, event: Event) -> str:
        names = [self._label(track) for track in event.track_ids]
        letters = dict(zip("abc", names, strict=False))
        return self.words.clauses[event.kind][0].format(**{"a": "", "b": "", "c": "", **letters})

    def _label(self, track_id: int) -> str:
        """A track in a sentence: "the child", and "child 2" by its id where the video has several."""
        name = _name(self.tracks.get(track_id))
        if name is None:
            return self.words.name("anything")
        alike = sum(_name(track) == name for track in self.tracks.values())
        return self.words.name(name) if alike < 2 else f"{self.words.bare.get(name, name)} {track_id}"

    def _claim(self, text: str, value: int, evidence: Sequence[str]) -> Claim:
        sentence = text[0].upper() + text[1:] + "."
        return Claim(text=sentence, value=value, unit="count", evidence=tuple(evidence), operation="account")

    def _cite(
        self, measure: str, value: float | int, unit: str, tracks: Sequence[int], span: tuple[float, float]
    ) -> str:
        identifier = f"e{self._number}"
        self._number += 1
        begin_s, end_s = span
        self.evidence.append(
            Evidence(
                id=identifier,
                measure=measure,
                value=value,
                unit=unit,
                video_id=self.video_id,
                track_ids=tuple(tracks),
                begin_s=begin_s,
                end_s=end_s,
                frames=frames_between(self.store, self.video_id, begin_s, max(end_s, begin_s + 1e-6)),
            )
        )
        return identifier


def _name(track: Track | None) -> str | None:
    if track is None or track.category in BODY_CATEGORIES:
        return None
    return track.role or track.category


def _covered_s(spans: Sequence[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return round(total, _DECIMALS)


def _groups(events: Sequence[Event], budget: int) -> Iterator[Sequence[Event]]:
    """The events in at most ``budget`` groups of about the same number."""
    count = min(budget, len(events)) or 1
    for number in range(count):
        first, after = len(events) * number // count, len(events) * (number + 1) // count
        yield events[first:after]
