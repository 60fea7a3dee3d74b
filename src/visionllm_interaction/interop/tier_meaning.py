"""What tiers mean: how measures read them and whom they are about; coded intervals of time."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.interop.participants import resolve
from visionllm_interaction.interop.tiers import Interval, Medium, Tier, Timeline

KINDS = ("speech", "gaze", "naming", "word", "coded", "code")
"""How measures read a tier: who speaks, who looks at what, what is named, single words; ``coded``: intervals of time in
which the others were coded; ``code`` is anything else."""

_KIND_WORDS: Mapping[str, str] = {
    "gaze": "gaze",
    "look": "gaze",
    "blikk": "gaze",
    "naming": "naming",
    "speech": "speech",
    "utterance": "speech",
    "ytring": "speech",
}
_LANE = re.compile(r"\s*\(\d+\)\s*\Z")
_CODED_TIERS = frozenset({"coded", "transcribed", "coded time", "coded interval", "coded intervals", "kodet"})


def kind_of_name(tier: str) -> str:
    """How measures read a tier of this name."""
    name = tier.casefold()
    # Exports put overlapping intervals on "NAME (2)", and Praat's tiers begin with their participant.
    alone = _LANE.sub("", name.rpartition(":")[2]).replace("_", " ")
    if " ".join(alone.split()) in _CODED_TIERS:
        return "coded"
    return next((kind for word, kind in _KIND_WORDS.items() if word in name), "code")


@dataclass
class TierMeaning:
    """Works out kind and participant of each tier.

    Attributes:
        kinds: tier → kind, as the caller says.
        participants: tier → participant, as the caller says.
        known: roles and categories of the store.
        table: name in small letters → role.
        unmatched: participants met that are neither in the store nor in the table.
    """

    kinds: Mapping[str, str]
    participants: Mapping[str, str]
    known: Collection[str]
    table: Mapping[str, str]
    unmatched: set[str] = field(default_factory=set)
    _places: dict[str, str] = field(default_factory=dict)

    def kind(self, tier: Tier) -> str:
        """How measures read ``tier``."""
        if tier.name in self.kinds:
            return self.kinds[tier.name]
        by_name = tier.kind or kind_of_name(tier.name)
        # A tier called like a person holds what that person says, as in transcripts.
        is_person = by_name == "code" and resolve(tier.name, (), self.table) is not None
        return "speech" if is_person and not tier.kind else by_name

    def participant(self, tier: Tier) -> str:
        """Whom ``tier`` is about: a name of the store, a role, or the file's own name for somebody unknown."""
        if tier.name in self.participants:
            return self._matched(self.participants[tier.name])
        if tier.participant.strip():
            return self._matched(tier.participant.strip())
        # Praat and Datavyu have no participants: the tier is called like one, or begins with one.
        first = tier.name.partition(":")[0].strip()
        return resolve(tier.name, self.known, self.table) or resolve(first, self.known, self.table) or ""

    def _matched(self, name: str) -> str:
        role = resolve(name, self.known, self.table)
        if role is None:
            self.unmatched.add(name)
        return name if role is None else role

    def remember(self, code_id: str, place: str) -> None:
        """Note where in the file a code stands."""
        self._places[code_id] = place

    def places(self, codes: Sequence[Code]) -> Iterator[tuple[Code, str]]:
        """Codes and where they stand in the file."""
        return ((code, self._places.get(code.code_id, "")) for code in codes)


def codes_of(timeline: Timeline, medium: Medium, meaning: TierMeaning, *, source: str) -> tuple[list[Code], list[str]]:
    """The codes of a timeline that lie in one of its media, on the file's clock.

    Args:
        timeline: the coded file.
        medium: the video among its media.
        meaning: kinds and participants.
        source: name of the file.

    Returns:
        The codes, and notes on those of other media.
    """
    found: list[Code] = []
    elsewhere = 0
    neighbours = _neighbours(medium, timeline)
    for tier in timeline.tiers:
        kind, who = meaning.kind(tier), meaning.participant(tier)
        for interval in tier.intervals:
            part = _within(interval, medium, neighbours)
            if part is None:
                elsewhere += 1
                continue
            code_id = f"{source}#{len(found) + 1}"
            meaning.remember(code_id, interval.where)
            found.append(Code(code_id, tier.name, kind, who, part.label, part.begin_s, part.end_s, source))
    notes = [f"{elsewhere} codes lie in other recordings of the file and were left out"] if elsewhere else []
    return found, notes


def _neighbours(medium: Medium, timeline: Timeline) -> tuple[bool, bool]:
    """Whether another recording of the file was running when this one began, and one when it ended."""
    begin_s, end_s = medium.begin_s, medium.end_s
    others = [(o.begin_s, math.inf if o.end_s is None else o.end_s) for o in timeline.linked if o is not medium]
    known = [(begin, end) for begin, end in others if begin is not None]
    before = begin_s is not None and any(begin < begin_s <= end for begin, end in known)
    after = end_s is not None and any(begin <= end_s < end for begin, end in known)
    return before, after


def _within(interval: Interval, medium: Medium, neighbours: tuple[bool, bool]) -> Interval | None:
    """The part of an interval in a medium that others precede or follow; None if there is none.

    At ends without a neighbour nothing is cut: that is for the check against the video's own length.
    """
    begin_s = medium.begin_s if neighbours[0] and medium.begin_s is not None else -math.inf
    end_s = medium.end_s if neighbours[1] and medium.end_s is not None else math.inf
    if interval.end_s < interval.begin_s:
        return interval
    if interval.is_point:
        return interval if begin_s <= interval.begin_s < end_s else None
    part = replace(interval, begin_s=max(interval.begin_s, begin_s), end_s=min(interval.end_s, end_s))
    return part if part.begin_s < part.end_s else None


def coded_intervals(
    timeline: Timeline, codes: Sequence[Code], given: Sequence[tuple[float, float]] | None, *, source: str
) -> list[Code]:
    """Intervals of time in which the file was coded: as given, else by a tier of it, else as the file's head says.

    Args:
        timeline: the coded file.
        codes: its codes; those of kind ``coded`` are kept where nothing is given.
        given: intervals on the file's clock; None: none are given.
        source: name of the file.

    Returns:
        Codes of kind ``coded`` to add.
    """
    if given is None and any(code.kind == "coded" for code in codes):
        return []
    intervals = timeline.coded if given is None else given
    return [
        Code(f"{source}#coded{number}", "coded", "coded", "", "", begin_s, end_s, source)
        for number, (begin_s, end_s) in enumerate(intervals, start=1)
    ]
