"""Datavyu's .opf: a zip archive with the text file ``db``; a tier is a column, an interval a cell, a label its codes.

Names of columns and codes are plain words in Datavyu. A tier whose name or participant would be lost has further codes
that hold them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from visionllm_interaction.interop.formats.safe_reading import MAX_BYTES, import_error, read_bytes
from visionllm_interaction.interop.tiers import (
    Interval,
    Medium,
    Tier,
    Timeline,
    milliseconds,
    sort_intervals,
    split_overlaps,
)
from visionllm_interaction.utils.path_type import StrPath

_HEADER = re.compile(r"(?P<name>.*?) ?\((?P<kind>[A-Z]+),(?P<shown>true|false),[^)]*\)(?:-(?P<codes>.*))?\Z", re.DOTALL)
_CELL = re.compile(r"(\d+):(\d+):(\d+):(\d+),(\d+):(\d+):(\d+):(\d+),(.*)\Z", re.DOTALL)
_SPECIAL = re.compile(r"([\\,()\-\n])")
_PLAIN = re.compile(r"[^0-9A-Za-z_]+")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def opf_bytes(timeline: Timeline) -> bytes:
    """``timeline`` as a Datavyu file; the same timeline gives the same bytes."""
    lines, taken = ["#4"], set[str]()
    for tier in split_overlaps(timeline.tiers):
        lines += _column(tier, taken)
    project = "!project\ndbFile: db\nname: visionllm\norigpath: null\nversion: 5\nviewerSettings: []\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("project", project), ("db", "\n".join(lines) + "\n")):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _column(tier: Tier, taken: set[str]) -> Iterator[str]:
    name = _PLAIN.sub("_", tier.name).strip("_") or "column"
    name = name if name[0].isalpha() else f"c_{name}"
    plain, number = name, 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name.casefold())
    extra = [("participant", tier.participant)] if tier.participant else []
    extra += [("tier", tier.name)] if name != tier.name else []
    codes = ",".join(f"{code}|NOMINAL" for code in ("label", *(code for code, _ in extra)))
    yield f"{name} (MATRIX,true,)-{codes}"
    for interval in tier.intervals:
        values = ",".join(_escape(text) for text in (interval.label, *(text for _, text in extra)))
        yield f"{_clock(interval.begin_s)},{_clock(interval.end_s)},({values})"


def _clock(seconds: float) -> str:
    rest, thousandths = divmod(milliseconds(seconds), 1000)
    minutes, second = divmod(rest, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}:{thousandths:03d}"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n"))


def read_opf(path: StrPath) -> Timeline:
    """Read a Datavyu file.

    Args:
        path: the file.

    Returns:
        Its timeline.

    Raises:
        InputDataError: if it is no such file, or unpacks to more than ``MAX_BYTES``.
    """
    path = Path(path)
    text, linked = _read_db(path)
    unset = 0
    tiers: list[Tier] = []
    names: list[str] = []
    cells: list[Interval] = []
    for line in _lines(text):
        cell = _CELL.match(line)
        if cell is None:
            header = _HEADER.match(line)
            if header is None and not tiers and text.startswith(("#2", "#3")):
                continue  # predicates of older versions
            if header is None:
                raise import_error(path, expected="a column or a cell in each line", found=line[:80])
            names = [_unescape(part).split("|")[0] for part in _split(header["codes"] or "")]
            cells = []
            tiers.append(Tier(_unescape(header["name"]), ()))
        elif not tiers:
            raise import_error(path, expected="a column before its cells", found=line[:80])
        if cell is not None:
            begin_s, end_s = (_seconds(cell.groups()[at : at + 4]) for at in (0, 4))
            tiers[-1], label = _described(tiers[-1], names, cell.groups()[8])
            # The offset of a cell is 0 until somebody sets it: what is known is the moment of its onset.
            unset += end_s == 0.0 < begin_s
            where = f"cell {len(cells) + 1} of column {tiers[-1].name}"
            cells.append(Interval(begin_s, end_s if end_s or not begin_s else begin_s, label, where))
            tiers[-1] = replace(tiers[-1], intervals=sort_intervals(cells))
    notes = (f"{unset} cells whose offset was never set are moments at their onset",) if unset else ()
    return Timeline(tuple(tiers), linked[0].name if linked else None, linked=linked, notes=notes)


def _media(archive: zipfile.ZipFile) -> tuple[Medium, ...]:
    """The videos of the project; Datavyu shows each at the project's time minus its offset (ms)."""
    project = _entry(archive, "project")
    found = []
    for part in re.split(r"(?m)^\s*-\s", project.partition("viewerSettings:")[2])[1:]:
        fields = dict(re.findall(r"(?<![\w])(feed|offset|settingsId): *'?([^'\n,}]*)'?", part))
        settings = _entry(archive, fields["settingsId"]) if fields.get("settingsId") else ""
        offset = re.search(r"(?m)^\s*offset\s*[=:]\s*(-?\d+)", settings)
        text = offset[1] if offset else fields.get("offset") or "0"
        found.append(Medium(fields.get("feed", "").strip(), -float(text) / 1000))
    return tuple(found)


def _entry(archive: zipfile.ZipFile, name: str) -> str:
    """The text of an entry; empty where there is none or it is unusually large."""
    if name not in archive.namelist() or archive.getinfo(name).file_size > MAX_BYTES:
        return ""
    return archive.read(name).decode("utf-8", errors="replace")


def _read_db(path: Path) -> tuple[str, tuple[Medium, ...]]:
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            entry = archive.getinfo("db")
            if entry.file_size > MAX_BYTES:
                raise import_error(path, expected=f"at most {MAX_BYTES} bytes unpacked", found=f"{entry.file_size}")
            with archive.open(entry) as stream:
                text = stream.read(MAX_BYTES).decode("utf-8", errors="replace")
            linked = _media(archive)
    except (KeyError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise import_error(path, expected="a Datavyu file (.opf)", found=str(error)) from error
    if not text.startswith("#"):
        raise import_error(path, expected="a Datavyu database that begins with its version, #4", found=text[:20])
    return text, linked


def _lines(text: str) -> Iterator[str]:
    """Lines; one whose end is escaped goes on in the next."""
    pending = ""
    for line in text.replace("\r\n", "\n").split("\n")[1:]:
        pending += line
        if _is_open(line):
            pending += "\n"
            continue
        if pending:
            yield pending
        pending = ""
    if pending:
        yield pending


def _is_open(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _seconds(clock: Sequence[str]) -> float:
    hours, minutes, seconds, thousandths = (int(part) for part in clock)
    return (hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + thousandths) / 1000


def _described(tier: Tier, names: Sequence[str], content: str) -> tuple[Tier, str]:
    """The tier with what the cell says about it, and the cell's label."""
    inner = content[1:-1] if content.startswith("(") and content.endswith(")") else content
    values = [_unescape(part) for part in _split(inner)]
    if names[:1] == ["label"]:
        about = dict(zip(names, values, strict=False))
        return (
            replace(tier, name=about.get("tier") or tier.name, participant=about.get("participant", tier.participant)),
            values[0] if values else "",
        )
    if len(names) <= 1:
        return tier, values[0] if values else ""
    pairs = zip(names, values, strict=False)
    return tier, ", ".join(f"{name}={value}" for name, value in pairs if value)


def _split(text: str) -> list[str]:
    """Parts between commas that are not escaped, escapes kept."""
    parts, current, at = [], "", 0
    while at < len(text):
        if text[at] == "\\":
            current += text[at : at + 2]
            at += 2
            continue
        if text[at] == ",":
            parts.append(current)
            current = ""
        else:
            current += text[at]
        at += 1
    return [*parts, current]


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
