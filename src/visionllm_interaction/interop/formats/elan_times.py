"""Times of an ELAN document's annotations: slots without a time, and annotations that refer to others."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element


class AnnotationTimes:
    """Works out begin and end of every annotation.

    Slots without a time lie evenly between the neighbours *of their own tier*, parents before children, as in ELAN
    (``TimeOrder.proposeTimeFor``): a boundary in another tier does not move them.

    Args:
        root: the document.
    """

    def __init__(self, root: Element) -> None:
        self._root = root
        slots = [(s.attrib["TIME_SLOT_ID"], s.get("TIME_VALUE")) for s in root.iterfind("TIME_ORDER/TIME_SLOT")]
        self._place = {name: place for place, (name, _) in enumerate(slots)}
        given = {name: _finite(value) for name, value in slots if value is not None}
        self._given = sorted((self._place[name], time) for name, time in given.items())
        self._ms: dict[str, float] = given

    def spans_s(self) -> dict[str, tuple[float, float] | None]:
        """Annotation id → begin and end in seconds; None where one of them cannot be known.

        Returns:
            The times of all annotations.

        Raises:
            KeyError: for a reference to a slot or an annotation that is not there.
            ValueError: for a time that is no number.
        """
        spans: dict[str, tuple[float, float] | None] = {}
        tiers = self._parents_first()
        for tier in tiers:
            aligned = list(tier.iter("ALIGNABLE_ANNOTATION"))
            self._fill([(a.attrib["TIME_SLOT_REF1"], a.attrib["TIME_SLOT_REF2"]) for a in aligned])
            for annotation in aligned:
                begin, end = (self._ms.get(annotation.attrib[f"TIME_SLOT_REF{n}"]) for n in (1, 2))
                known = None if begin is None or end is None else (begin / 1000, end / 1000)
                spans[annotation.attrib["ANNOTATION_ID"]] = known
        self._resolve_references(tiers, spans)
        return spans

    def _parents_first(self) -> list[Element]:
        tiers = list(self._root.iter("TIER"))
        parents = {tier.get("TIER_ID"): tier.get("PARENT_REF") for tier in tiers}

        def depth(name: str | None) -> int:
            seen: set[str | None] = set()
            while name is not None and name not in seen:
                seen.add(name)
                name = parents.get(name)
            return len(seen)

        return sorted(tiers, key=lambda tier: depth(tier.get("TIER_ID")))

    def _fill(self, ends: Sequence[tuple[str, str]]) -> None:
        """Give the slots of one tier that have no time their share between the tier's neighbouring times."""
        names = sorted(dict.fromkeys(name for pair in ends for name in pair), key=lambda name: self._place[name])
        at = 0
        while at < len(names):
            if names[at] in self._ms:
                at += 1
                continue
            after = at
            while after < len(names) and names[after] not in self._ms:
                after += 1
            begin = self._ms[names[at - 1]] if at else self._neighbour(names[at], after=False)
            end = self._ms[names[after]] if after < len(names) else self._neighbour(names[after - 1], after=True)
            if begin is not None and end is not None:
                for step, name in enumerate(names[at:after], start=1):
                    self._ms[name] = begin + (end - begin) * step / (after - at + 1)
            at = after

    def _neighbour(self, name: str, *, after: bool) -> float | None:
        """The nearest time that the document gives before or after a slot, whatever tier it belongs to."""
        at = bisect_left(self._given, (self._place[name], -math.inf))
        if after:
            return self._given[at][1] if at < len(self._given) else None
        return self._given[at - 1][1] if at else None

    @staticmethod
    def _resolve_references(tiers: Sequence[Element], spans: dict[str, tuple[float, float] | None]) -> None:
        unresolved: list[tuple[str, list[str]]] = []
        for tier in tiers:
            groups: dict[str, list[Element]] = {}
            for annotation in tier.iter("REF_ANNOTATION"):
                groups.setdefault(annotation.attrib["ANNOTATION_REF"], []).append(annotation)
            unresolved += [(parent, _in_order(children)) for parent, children in groups.items()]
        while unresolved:
            waiting: list[tuple[str, list[str]]] = []
            for parent, children in unresolved:
                if parent in spans:
                    spans.update(_shares(spans[parent], children))
                else:
                    waiting.append((parent, children))
            if len(waiting) == len(unresolved):
                raise KeyError(f"annotation {waiting[0][0]}, which others refer to")
            unresolved = waiting


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a time slot at {text}")
    return value


def _in_order(children: Sequence[Element]) -> list[str]:
    """Ids in the order that ``PREVIOUS_ANNOTATION`` gives; those that follow none of them in the order of the file."""
    names = [child.attrib["ANNOTATION_ID"] for child in children]
    followers: dict[str | None, list[str]] = {}
    for name, child in zip(names, children, strict=True):
        previous = child.get("PREVIOUS_ANNOTATION")
        followers.setdefault(previous if previous in names else None, []).append(name)
    ordered: list[str] = []
    waiting = list(reversed(followers.get(None, [])))
    while waiting:
        name = waiting.pop()
        ordered.append(name)
        waiting += reversed(followers.get(name, []))
    # Annotations that follow each other in a ring have no first one.
    return ordered + [name for name in names if name not in set(ordered)]


def _shares(span: tuple[float, float] | None, names: Sequence[str]) -> Iterator[tuple[str, tuple[float, float] | None]]:
    if span is None:
        yield from ((name, None) for name in names)
        return
    step = (span[1] - span[0]) / len(names)
    for n, name in enumerate(names):
        end_s = span[1] if n == len(names) - 1 else span[0] + (n + 1) * step
        yield name, (span[0] + n * step, end_s)
