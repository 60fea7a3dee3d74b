"""Which column of a table means what: given by the caller, or recognised where the header leaves no doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.formats.clock_times import UNITS_S, is_clock, unit_length_s

FIELDS = ("begin", "end", "duration", "label", "participant", "tier")
"""What a column may mean."""
UNTIL_NEXT = "@next"
"""In place of a column for ``end``: an interval lasts until the next row begins."""

_NAMES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "begin": frozenset({"begin", "begin time", "start", "start time", "onset", "from", "time", "token start time"}),
        "end": frozenset({"end", "end time", "stop", "stop time", "offset", "to", "token end time"}),
        "duration": frozenset({"duration", "dur", "length"}),
        "label": frozenset(
            {"label", "category", "code", "value", "text", "utterance", "transcription", "annotation", "name", "token"}
        ),
        "participant": frozenset({"participant", "speaker", "speaker type", "who", "subject"}),
        "tier": frozenset({"tier", "column", "behavior", "behaviour"}),
    }
)
_UNIT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "s": "s",
        "sec": "s",
        "secs": "s",
        "second": "s",
        "seconds": "s",
        "ss.msec": "s",
        "ms": "ms",
        "msec": "ms",
        "milliseconds": "ms",
        "min": "min",
        "hh:mm:ss.ms": "s",
    }
)
_UNIT_IN_NAME = re.compile(r"(?P<name>.+?)(?:[ _.]-?[ ]?|\s*[(\[]\s*| - )(?P<unit>[a-z:.]+)[)\]]?\Z")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name (or ``#3`` for the third), and the unit of its plain numbers."""

    name: str
    unit: str = "s"


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which columns of a table hold what.

    Attributes:
        begin: when an interval begins.
        end: when it ends; None: moments, unless ``duration`` is given. :data:`UNTIL_NEXT` is no column's name.
        duration: how long it lasts, in place of ``end``.
        label: columns whose values are the label; of several, ``name=value`` each.
        participant: whom it is about.
        tier: the kind of code; None: the file's name.
    """

    begin: Column
    end: Column | None = None
    duration: Column | None = None
    label: tuple[str, ...] = ()
    participant: str | None = None
    tier: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that the table must have."""
        times = (self.begin, self.end, self.duration)
        named = [column.name for column in times if column is not None and column.name != UNTIL_NEXT]
        return (*named, *self.label, *(name for name in (self.participant, self.tier) if name))


def parse_columns(text: str) -> ColumnMap:
    """Read ``begin=onset:ms,end=offset,label=category,participant=who``.

    Args:
        text: pairs of a meaning (:data:`FIELDS`) and a column. Times may have a unit (``ms``, ``s``, ``min``, ``h``,
            ``us``, ``ns``, ``frames@25``); without one, ``end`` and ``duration`` have that of ``begin``, and ``begin``
            has seconds. ``#3`` is the third column, ``label=a+b`` joins two, ``end=@next`` is the next row's begin.

    Returns:
        The columns.

    Raises:
        UsageError: if it cannot be read, or names no ``begin``.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if name not in FIELDS or not sign or not value or name in found:
            raise _unreadable(part)
        found[name] = value
    if "begin" not in found or {"end", "duration"} <= found.keys():
        raise _unreadable(text)
    begin = _column(found["begin"], default="s")
    end = _column(found["end"], default=begin.unit) if "end" in found else None
    duration = _column(found["duration"], default=begin.unit) if "duration" in found else None
    labels = tuple(found["label"].split("+")) if "label" in found else ()
    return ColumnMap(begin, end, duration, labels, found.get("participant"), found.get("tier"))


def _column(text: str, *, default: str) -> Column:
    name, sign, unit = text.rpartition(":")
    if sign and unit_length_s(unit) is not None:
        return Column(name, unit)
    if sign and not unit.isdigit() and len(unit) < 12 and " " not in unit:
        raise UsageError(
            "The unit of a column is not known.",
            expected=f"one of: {', '.join(UNITS_S)}, frames@25",
            found=unit,
        )
    return Column(text, default)


def _unreadable(part: str) -> UsageError:
    return UsageError(
        "--columns cannot be read.",
        expected=f"MEANING=COLUMN, …, with begin among them; MEANING is one of {', '.join(FIELDS)}",
        found=part.strip() or "nothing",
        fix="for example --columns begin=onset:ms,end=offset,label=category,participant=who",
    )


def plain(name: str) -> str:
    """A column's name for comparison: small letters, without blanks around it."""
    return " ".join(name.strip().strip("\ufeff").casefold().split())


def recognise(header: Sequence[str], rows: Sequence[Sequence[str]]) -> ColumnMap | None:
    """The columns of a table whose header leaves no doubt, units included.

    Args:
        header: names of the columns.
        rows: its rows; times with colons need no unit.

    Returns:
        The columns; None if any doubt is left.
    """
    names = [plain(name) for name in header]
    if {"tier", "begin_s", "end_s"} <= set(names):
        has = [name for name in ("participant",) if name in names]
        labels = ("label",) if "label" in names else ()
        return ColumnMap(Column("begin_s"), Column("end_s"), None, labels, has[0] if has else None, "tier")
    found = _by_meaning(names, rows)
    begin, end, duration = (found.get(field) for field in ("begin", "end", "duration"))
    if begin is None or (end is None and "end" in _meant(names)):
        return None
    others = {field: _only(names, field) for field in ("label", "participant", "tier")}
    return ColumnMap(
        begin,
        end,
        duration if end is None else None,
        (others["label"],) if others["label"] else (),
        others["participant"],
        others["tier"],
    )


def suggestion(header: Sequence[str]) -> str:
    """A ``--columns`` for a table whose header is not clear, with the columns it has."""
    names = [plain(name) for name in header]
    meant = _meant(names)
    label = _only(names, "label")
    meant |= {"label": label} if label else {}
    begin = meant.get("begin", "BEGIN_COLUMN")
    parts = [f"begin={begin}:s", *(f"{field}={meant[field]}" for field in FIELDS[1:] if field in meant)]
    if "end" in meant and "duration" in meant:
        parts = [part for part in parts if not part.startswith("duration=")]
    return "--columns " + ",".join(parts) + " (or :ms, if the times are milliseconds)"


def _split_unit(name: str) -> tuple[str, str | None]:
    matched = _UNIT_IN_NAME.match(name)
    if matched and matched["unit"] in _UNIT_WORDS:
        return matched["name"].replace("_", " ").replace("-", " ").strip(" ._"), _UNIT_WORDS[matched["unit"]]
    return name.replace("_", " "), None


def _meant(names: Sequence[str]) -> dict[str, str]:
    """Meaning → the first column whose name says it."""
    found: dict[str, str] = {}
    for field, words in _NAMES.items():
        column = next((name for name in names if _split_unit(name)[0] in words), None)
        if column is not None:
            found[field] = column
    return found


def _only(names: Sequence[str], field: str) -> str | None:
    matching = [name for name in names if _split_unit(name)[0] in _NAMES[field]]
    # Several columns that may be the label: an order of the usual names decides.
    order = ("token", "label", "annotation", "transcription", "text", "utterance", "category", "value", "code", "name")
    return min(matching, key=lambda name: order.index(name) if name in order else len(order), default=None)


def _by_meaning(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Column]:
    """Meaning → the column of times whose unit is known."""
    found: dict[str, Column] = {}
    for field in ("begin", "end", "duration"):
        for at, name in enumerate(names):
            base, unit = _split_unit(name)
            if base not in _NAMES[field] or field in found:
                continue
            values = [row[at] for row in rows if at < len(row) and row[at].strip()]
            if unit is not None:
                found[field] = Column(name, unit)
            elif values and all(is_clock(value) for value in values):
                found[field] = Column(name)
    return found


def by_position(columns: ColumnMap, header: Sequence[str]) -> ColumnMap:
    """``columns`` with the names that the header has, for columns given as ``#3``.

    Args:
        columns: the columns as given.
        header: names of the table's columns, or ``#1``, ``#2`` … of a table without header.

    Returns:
        The same with plain names.

    Raises:
        UsageError: if the table does not have one of them.
    """
    known = {plain(name) for name in header}

    def resolved(name: str) -> str:
        if name == UNTIL_NEXT:
            return name
        number = int(name[1:]) if re.fullmatch(r"#\d+", name) else 0
        if 0 < number <= len(header):
            return plain(header[number - 1])
        if plain(name) in known:
            return plain(name)
        raise UsageError(
            "The table does not have a column.",
            expected=f"one of: {', '.join(header)}",
            found=name,
        )

    def timed(column: Column | None) -> Column | None:
        return None if column is None else replace(column, name=resolved(column.name))

    return ColumnMap(
        replace(columns.begin, name=resolved(columns.begin.name)),
        timed(columns.end),
        timed(columns.duration),
        tuple(resolved(name) for name in columns.label),
        resolved(columns.participant) if columns.participant else None,
        resolved(columns.tier) if columns.tier else None,
    )
