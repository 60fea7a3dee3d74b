"""ELAN's .eaf, valid under EAFv2.7 and newer: tiers, participants, closed vocabularies, linked media.

Tiers are written without parents and aligned to time. Overlaps go to further tiers, because a tier of ELAN has none.
Alignable annotations are read, and those that refer to others: they have the time of their parent, and several with one
parent share it evenly, in the order of PREVIOUS_ANNOTATION. Time slots without a value lie evenly between those of the
same tier, as ELAN proposes them.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from visionllm_interaction.interop.formats.elan_times import AnnotationTimes
from visionllm_interaction.interop.formats.safe_reading import import_error, read_xml, xml_text
from visionllm_interaction.interop.tiers import (
    Interval,
    Medium,
    RefusedRow,
    Tier,
    Timeline,
    milliseconds,
    sort_intervals,
    split_overlaps,
)
from visionllm_interaction.utils.path_type import StrPath

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv2.7.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ISO = "%Y-%m-%dT%H:%M:%S+00:00"
_FREE_TYPE = "coded"
_HALF_MS = 0.0005 + 1e-9
_EXACT_OFFSET = "media_offset_s:"
"""Property of the header, with the number of the medium: its offset with all digits."""


def eaf_bytes(timeline: Timeline) -> bytes:
    """``timeline`` as an ELAN document."""
    tiers = split_overlaps(timeline.tiers)
    created_at = timeline.created_at or datetime.now(UTC).strftime(_ISO)
    root = Element("ANNOTATION_DOCUMENT", AUTHOR="", DATE=created_at, FORMAT="2.7", VERSION="2.7")
    root.set("xmlns:xsi", _XSI)
    root.set("xsi:noNamespaceSchemaLocation", _SCHEMA)
    _header(root, timeline)
    slots = _time_order(root, tiers)
    vocabularies = _vocabularies(tiers)
    names = (f"a{number}" for number in count(1))
    for at, tier in enumerate(tiers):
        element = _tier(root, tier, type_=vocabularies.get(tier.vocabulary, _FREE_TYPE))
        for interval_at, interval in enumerate(tier.intervals):
            refs = slots[at, interval_at, False], slots[at, interval_at, True]
            _annotation(element, interval, refs, name=next(names))
    _types(root, vocabularies)
    indent(root)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _header(root: Element, timeline: Timeline) -> None:
    header = SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    media = timeline.linked or ((Medium(timeline.media),) if timeline.media else ())
    for medium in media:
        path = Path(medium.name)
        address = path.as_uri() if path.is_absolute() else f"file:///{quote(medium.name)}"
        kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
        origin = {"TIME_ORIGIN": str(milliseconds(medium.offset_s))} if milliseconds(medium.offset_s) else {}
        SubElement(
            header,
            "MEDIA_DESCRIPTOR",
            origin,
            MEDIA_URL=address,
            MIME_TYPE=kind,
            RELATIVE_MEDIA_URL=f"./{quote(path.name)}",
        )
    for number, medium in enumerate(media):
        # ELAN knows whole milliseconds.
        if medium.offset_s != milliseconds(medium.offset_s) / 1000:
            SubElement(header, "PROPERTY", NAME=f"{_EXACT_OFFSET}{number}").text = repr(medium.offset_s)
    if timeline.duration_s is not None:
        SubElement(header, "PROPERTY", NAME="duration_s").text = repr(timeline.duration_s)


def _time_order(root: Element, tiers: Sequence[Tier]) -> Mapping[tuple[int, int, bool], str]:
    """(tier, interval, whether it is the end) → slot.

    No two intervals share a slot, also where they meet: in ELAN, moving a boundary moves its slot.
    """
    order = SubElement(root, "TIME_ORDER")
    ends = [
        (milliseconds(time_s), not is_end, tier_at, at)
        for tier_at, tier in enumerate(tiers)
        for at, interval in enumerate(tier.intervals)
        for is_end, time_s in ((False, interval.begin_s), (True, interval.end_s))
    ]
    slots = {}
    for number, (time_ms, is_begin, tier_at, at) in enumerate(sorted(ends), start=1):
        slots[tier_at, at, not is_begin] = f"ts{number}"
        SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(time_ms))
    return slots


def _vocabularies(tiers: Sequence[Tier]) -> dict[tuple[str, ...], str]:
    """Vocabulary → the name of its linguistic type and controlled vocabulary."""
    different = dict.fromkeys(tier.vocabulary for tier in tiers if tier.vocabulary)
    return {words: f"vocabulary {number}" for number, words in enumerate(different, start=1)}


def _tier(root: Element, tier: Tier, *, type_: str) -> Element:
    element = SubElement(root, "TIER", LINGUISTIC_TYPE_REF=type_)
    if tier.participant:
        element.set("PARTICIPANT", xml_text(tier.participant))
    element.set("TIER_ID", xml_text(tier.name))
    return element


def _annotation(tier: Element, interval: Interval, slots: tuple[str, str], *, name: str) -> None:
    aligned = SubElement(SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", ANNOTATION_ID=name)
    aligned.set("TIME_SLOT_REF1", slots[0])
    aligned.set("TIME_SLOT_REF2", slots[1])
    SubElement(aligned, "ANNOTATION_VALUE").text = xml_text(interval.label)


def _types(root: Element, vocabularies: Mapping[tuple[str, ...], str]) -> None:
    shared = {"GRAPHIC_REFERENCES": "false", "TIME_ALIGNABLE": "true"}
    SubElement(root, "LINGUISTIC_TYPE", shared, LINGUISTIC_TYPE_ID=_FREE_TYPE)
    for name in vocabularies.values():
        SubElement(root, "LINGUISTIC_TYPE", shared, LINGUISTIC_TYPE_ID=name, CONTROLLED_VOCABULARY_REF=name)
    for words, name in vocabularies.items():
        vocabulary = SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=name)
        for word in words:
            SubElement(vocabulary, "CV_ENTRY").text = xml_text(word)


def read_eaf(path: StrPath) -> Timeline:
    """Read an ELAN document.

    Args:
        path: the file.

    Returns:
        Its timeline, on the document's clock; ``linked`` says where each medium lies on it.

    Raises:
        InputDataError: if it is no such document, its times are not in milliseconds, or it refers to times or
            annotations that it does not have.
    """
    path = Path(path)
    root = read_xml(path)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise import_error(path, expected="an ELAN document (ANNOTATION_DOCUMENT)", found=f"<{root.tag}>")
    header = root.find("HEADER")
    units = (header.get("TIME_UNITS") if header is not None else None) or "milliseconds"
    if units != "milliseconds":
        raise import_error(path, expected="times in milliseconds", found=f"TIME_UNITS {units}")
    try:
        spans = AnnotationTimes(root).spans_s()
        vocabularies = _read_vocabularies(root)
        read = [_read_tier(tier, spans, vocabularies) for tier in root.iter("TIER")]
        exact = _exact_offsets(root)
        media = root.findall("HEADER/MEDIA_DESCRIPTOR")
        linked = tuple(_medium(element, exact.get(number)) for number, element in enumerate(media))
        duration_s = _duration(root)
    except (KeyError, ValueError) as error:
        raise import_error(
            path, expected="complete times and references", found=f"{type(error).__name__} {error}"
        ) from error
    return Timeline(
        tuple(tier for tier, _ in read),
        linked[0].name if linked else None,
        duration_s,
        root.get("DATE"),
        linked=linked,
        refused=tuple(row for _, refused in read for row in refused),
    )


def _exact_offsets(root: Element) -> dict[int, float]:
    """Number of a medium → its offset in seconds, where the document says it with all digits."""
    found: dict[int, float] = {}
    for element in root.iterfind("HEADER/PROPERTY"):
        name, text = element.get("NAME") or "", element.text or ""
        number = name.removeprefix(_EXACT_OFFSET)
        if name.startswith(_EXACT_OFFSET) and number.isdigit():
            found[int(number)] = float(text)
    return found


def _medium(element: Element, exact_s: float | None) -> Medium:
    """A linked medium. ELAN plays it at the document's time plus ``TIME_ORIGIN`` (ms).

    The offset with all digits is used as long as it says the same: somebody may have moved the medium in ELAN since.
    """
    address = unquote(element.get("MEDIA_URL") or element.get("RELATIVE_MEDIA_URL") or "")
    path = address.removeprefix("file://")
    # A name without a folder was written as file:///name.
    name = path[1:] if path.startswith("/") and path.count("/") == 1 else path
    origin_s = float(element.get("TIME_ORIGIN") or 0.0) / 1000
    is_same = exact_s is not None and abs(exact_s - origin_s) <= _HALF_MS
    return Medium(name, exact_s if exact_s is not None and is_same else origin_s)


def _duration(root: Element) -> float | None:
    found = next((p.text for p in root.iterfind("HEADER/PROPERTY") if p.get("NAME") == "duration_s"), None)
    return float(found) if found else None


def _read_vocabularies(root: Element) -> dict[str, tuple[str, ...]]:
    """Linguistic type → the words of its vocabulary (of newer versions the first language)."""
    words = {}
    for vocabulary in root.iter("CONTROLLED_VOCABULARY"):
        entries = [entry.text for entry in vocabulary.iterfind("CV_ENTRY")]
        entries += [entry.findtext("CVE_VALUE") for entry in vocabulary.iterfind("CV_ENTRY_ML")]
        words[vocabulary.get("CV_ID", "")] = tuple(entry for entry in entries if entry)
    return {
        type_.get("LINGUISTIC_TYPE_ID", ""): words.get(type_.get("CONTROLLED_VOCABULARY_REF", ""), ())
        for type_ in root.iter("LINGUISTIC_TYPE")
    }


def _read_tier(
    tier: Element, spans: Mapping[str, tuple[float, float] | None], vocabularies: Mapping[str, tuple[str, ...]]
) -> tuple[Tier, list[RefusedRow]]:
    found, refused = [], []
    name = tier.get("TIER_ID", "")
    for annotation in tier.iter():
        if annotation.tag in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
            where = f"annotation {annotation.attrib['ANNOTATION_ID']} of tier {name}"
            span = spans[annotation.attrib["ANNOTATION_ID"]]
            label = annotation.findtext("ANNOTATION_VALUE") or ""
            if span is None:
                refused.append(RefusedRow(where, "no time is known for one of its ends", label[:80]))
            else:
                found.append(Interval(*span, label, where))
    words = vocabularies.get(tier.get("LINGUISTIC_TYPE_REF", ""), ())
    return Tier(name, sort_intervals(found), tier.get("PARTICIPANT", ""), words), refused
