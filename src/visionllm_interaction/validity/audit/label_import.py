"""Labels that come back from CVAT, Label Studio, ELAN or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction.core.intervals import as_intervals, clip, total_s
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.formats.elan import read_eaf
from visionllm_interaction.interop.formats.safe_reading import import_error, read_text, read_xml
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.utils.csv_safety import from_cell
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.audit.folder import CANNOT_TELL, AuditFolder, Label, add_labels, read_audit
from visionllm_interaction.validity.audit.population import clip_values
from visionllm_interaction.validity.audit.tasks import ANSWER_TIER, CODED_TIER, unit_of_image

_YES = frozenset({"yes", "y", "1", "true", "ja"})
_NO = frozenset({"no", "n", "0", "false", "nei"})
_CANNOT_TELL = frozenset({CANNOT_TELL, "?", "unclear", "unsure"})
_SAME_TIME_S = 0.02


@dataclass(frozen=True)
class ImportedLabels:
    """What was imported.

    Attributes:
        folder: the audit's folder.
        coder: who labelled.
        labels: number of labels in the files.
        cannot_tell: how many of them are *cannot tell*.
        labelled: units that this coder has labelled by now.
        tasks: number of tasks.
    """

    folder: Path
    coder: str
    labels: int
    cannot_tell: int
    labelled: int
    tasks: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm audit import``."""
        return {
            "folder": str(self.folder),
            "coder": self.coder,
            "labels": self.labels,
            "cannot_tell": self.cannot_tell,
            "labelled": self.labelled,
            "tasks": self.tasks,
        }


def import_labels(folder: StrPath, *files: StrPath, coder: str) -> ImportedLabels:
    """Read labelled tasks back into an audit.

    Args:
        folder: the audit's folder.
        *files: ``.csv`` as exported, ``.eaf``, Label Studio's ``.json``, or CVAT's ``.xml`` (*CVAT for images*).
        coder: who labelled them; a second coder's labels stand beside the first one's.

    Returns:
        What was imported.

    Raises:
        UsageError: without files or a name, or for an unknown ending.
        InputDataError: if a file cannot be read, has units that were not drawn, or answers that nobody knows.
    """
    if not files or not coder.strip():
        raise UsageError(
            "Files and the coder's name are needed.", expected="FILE… --coder NAME", found="neither or one"
        )
    audit = read_audit(folder)
    drawn = {str(unit) for unit in audit.column("unit_id")[audit.tasks()]}
    found = [label for file in files for label in _read(Path(file), audit, coder.strip())]
    strange = sorted({label.unit_id for label in found} - drawn)
    if strange:
        raise InputDataError(
            "Labels of units that were not drawn cannot be used: somebody chose them.",
            expected="labels of the audit's tasks",
            found=f"{len(strange)} others, for example {strange[0]}",
            where=str(folder),
            fix="label the tasks of `visionllm audit export`",
        )
    every = add_labels(folder, found)
    mine = sum(label.coder == coder.strip() for label in every)
    unsure = sum(label.share is None for label in found)
    return ImportedLabels(audit.path, coder.strip(), len(found), unsure, mine, len(drawn))


def _read(path: Path, audit: AuditFolder, coder: str) -> list[Label]:
    ending = path.suffix.lower()
    if ending == ".csv":
        return list(_from_csv(path, audit, coder))
    if ending == ".eaf":
        return list(_from_elan(path, audit, coder))
    if ending == ".json":
        return list(_from_labelstudio(path, coder))
    if ending == ".xml":
        return list(_from_cvat(path, coder))
    raise UsageError("The ending is not known.", expected=".csv, .eaf, .json or .xml", found=path.name)


def _answer(text: str, where: str) -> float | None:
    word = text.strip().casefold()
    if word in _CANNOT_TELL:
        return None
    if word in _YES or word in _NO:
        return float(word in _YES)
    raise InputDataError("An answer is not known.", expected=f"yes, no or {CANNOT_TELL}", found=repr(text), where=where)


def _from_csv(path: Path, audit: AuditFolder, coder: str) -> Iterator[Label]:
    text = read_text(path)
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    lengths = _lengths(audit)
    for number, row in enumerate(rows, start=2):
        unit, answer = from_cell(row.get("unit_id") or ""), (row.get("answer") or "").strip()
        where = f"{path}, line {number}"
        seconds, count = (row.get("seconds") or "").strip(), (row.get("bouts") or "").strip()
        if audit.design.unit == "clip" and seconds and answer.casefold() not in _CANNOT_TELL:
            share = _number(seconds, where) / lengths.get(unit, 1.0)
            yield Label(unit, coder, min(share, 1.0), _number(count, where) if count else None)
        elif answer and audit.design.unit == "clip":
            if _answer(answer, where) is not None:
                raise import_error(path, expected="seconds and bouts of a clip", found=f"{answer!r} (line {number})")
            yield Label(unit, coder, None, None)
        elif answer:
            yield Label(unit, coder, _answer(answer, where), None)


def _number(text: str, where: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError as error:
        raise InputDataError("A number cannot be read.", expected="a number", found=text, where=where) from error
    if not 0 <= value < float("inf"):
        raise InputDataError("A number is impossible.", expected="0 or more", found=text, where=where)
    return value


def _lengths(audit: AuditFolder) -> Mapping[str, float]:
    units, amounts = audit.column("unit_id").tolist(), audit.column("amount_s").astype(np.float64).tolist()
    return dict(zip(map(str, units), amounts, strict=True))


def _from_elan(path: Path, audit: AuditFolder, coder: str) -> Iterator[Label]:
    timeline, video_id = read_eaf(path), _video_of(path, audit)
    if audit.design.unit == "clip":
        yield from _clips_from_elan(timeline, audit, coder)
        return
    rows = audit.tasks()
    rows = rows[audit.column("video_id")[rows].astype(np.str_) == video_id]
    begins, names = audit.column("begin_s")[rows].astype(np.float64), audit.column("unit_id")[rows].tolist()
    answers = [i for tier in timeline.tiers if tier.name.startswith(ANSWER_TIER) for i in tier.intervals]
    for interval in (i for i in answers if i.label.strip()):
        nearest = int(np.argmin(np.abs(begins - interval.begin_s))) if len(begins) else -1
        if nearest < 0 or abs(begins[nearest] - interval.begin_s) > _SAME_TIME_S:
            raise import_error(path, expected="answers at the times of the tasks", found=f"one at {interval.begin_s} s")
        yield Label(str(names[nearest]), coder, _answer(interval.label, str(path)), None)


def _video_of(path: Path, audit: AuditFolder) -> str:
    known = {str(name) for name in audit.column("video_id")}
    found = [name for name in known if path.stem.startswith(name)]
    if not found:
        raise import_error(path, expected=f"a file named after its video: {sorted(known)[0]}.eaf", found=path.name)
    return max(found, key=len)


def _clips_from_elan(timeline: Timeline, audit: AuditFolder, coder: str) -> Iterator[Label]:
    state, lengths = str(audit.design.state).casefold(), _lengths(audit)
    spans = as_intervals(
        [
            (i.begin_s, i.end_s)
            for tier in timeline.tiers
            if tier.name.casefold().startswith(state)
            for i in tier.intervals
        ]
    )
    for tier in timeline.tiers:
        for interval in tier.intervals if tier.name.startswith(CODED_TIER) else ():
            if interval.label not in lengths:
                continue
            _, count = clip_values(spans, begin_s=interval.begin_s, end_s=interval.end_s)
            seconds = total_s(clip(spans, begin_s=interval.begin_s, end_s=interval.end_s))
            yield Label(interval.label, coder, min(seconds / lengths[interval.label], 1.0), float(count))


def _from_labelstudio(path: Path, coder: str) -> Iterator[Label]:
    try:
        tasks = json.loads(read_text(path))
        for task in tasks:
            unit = str(task["data"]["unit_id"])
            for annotation in task.get("annotations", [])[-1:]:
                results = [r for r in annotation.get("result", []) if r.get("type") == "choices"]
                for result in results[-1:]:
                    yield Label(unit, coder, _answer(str(result["value"]["choices"][0]), f"{path}, {unit}"), None)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise import_error(
            path, expected="tasks as Label Studio exports them (JSON)", found=f"{type(error).__name__}: {error}"
        ) from error


def _from_cvat(path: Path, coder: str) -> Iterator[Label]:
    root = read_xml(path)
    if root.tag != "annotations":
        raise import_error(path, expected="CVAT for images 1.1", found=f"<{root.tag}>")
    for image in root.iter("image"):
        unit = unit_of_image(image.get("name", ""))
        answers = [tag.get("label", "") for tag in image.iter("tag")]
        if len(set(answers)) > 1:
            raise import_error(path, expected="one answer per image", found=f"{', '.join(answers)} for {unit}")
        if answers:
            yield Label(unit, coder, _answer(answers[0], f"{path}, {unit}"), None)
