"""Tasks of an audit for CVAT, Label Studio, ELAN or a spreadsheet. What the detector says is not in them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.formats.elan import eaf_bytes
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline
from visionllm_interaction.store.data_protection.consent import check_consent
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.audit.folder import CANNOT_TELL, AuditFolder, read_audit

ANSWERS = ("yes", "no", CANNOT_TELL)
CODED_TIER = "coded"
ANSWER_TIER = "answer"
CSV_COLUMNS = ("unit_id", "video", "begin_s", "end_s", "question", "answer", "seconds", "bouts")


@dataclass(frozen=True)
class ExportedTasks:
    """What was written.

    Attributes:
        folder: where.
        format: ``csv``, ``elan``, ``labelstudio`` or ``cvat``.
        tasks: number of tasks.
        files: the files to open or import, without images.
    """

    folder: Path
    format: str
    tasks: int
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm audit export``."""
        files = [str(file) for file in self.files]
        return {"folder": str(self.folder), "format": self.format, "tasks": self.tasks, "files": files}


@dataclass(frozen=True, slots=True)
class AuditTask:
    """One unit to label."""

    unit_id: str
    video_id: str
    frame_index: int
    begin_s: float
    end_s: float


def tasks_of(audit: AuditFolder, *, twice_only: bool = False) -> list[AuditTask]:
    """The tasks in their order.

    Args:
        audit: the audit.
        twice_only: only those that a second coder labels too.

    Returns:
        One for each drawn unit.
    """
    rows = audit.tasks(twice_only=twice_only)
    columns = [audit.column(name)[rows].tolist() for name in ("unit_id", "video_id", "frame_index", "begin_s", "end_s")]
    return [AuditTask(str(u), str(v), int(f), float(b), float(e)) for u, v, f, b, e in zip(*columns, strict=True)]


def question_of(audit: AuditFolder) -> str:
    """What people are asked about each unit, in words."""
    state = audit.design.state
    words = {"visible": "in view", "together": "in view together with", "in_contact": "in contact with"}
    verb = words.get(state.predicate, state.predicate.replace("_", " "))
    asked = f"Is the {state.subject} {verb}" + (f" the {state.object}" if state.object else "")
    if audit.design.unit == "frame":
        return f"{asked}?"
    return f"{asked}? Code every bout within the clip: seconds in all, and how many bouts begin in it."


def export_tasks(
    folder: StrPath,
    out: StrPath,
    *,
    format: str,
    twice_only: bool = False,
    store: StrPath | None = None,
) -> ExportedTasks:
    """Write the tasks of an audit for people to label.

    Args:
        folder: the audit's folder.
        out: where to write; created if it does not exist.
        format: ``csv``, ``elan``, ``labelstudio`` or ``cvat``. Clips take ``elan`` or ``csv``.
        twice_only: only the tasks that a second coder labels too.
        store: the store's folder, where it is no longer where the audit was planned.

    Returns:
        What was written.

    Raises:
        UsageError: for an unknown format, or clips in a format of images.
        InputDataError: if there is no audit.
        ConsentMissing: if consent for a video was withdrawn, or is required and not recorded. Nothing is written then.
        VideoError: if images are needed and a video is gone.
    """
    if format not in _WRITERS:
        raise UsageError("The format of tasks is not known.", expected=f"one of: {', '.join(_WRITERS)}", found=format)
    audit, place = read_audit(folder), Path(out)
    if audit.design.unit == "clip" and format in _OF_IMAGES:
        raise UsageError(
            "A clip is no single image.", expected="elan or csv", found=format, fix="--format elan: one file per video"
        )
    tasks = tasks_of(audit, twice_only=twice_only)
    check_consent(store or audit.design.store, sorted({task.video_id for task in tasks}))
    place.mkdir(parents=True, exist_ok=True)
    with open_store(store or audit.design.store, values="detected") as opened:
        files = _WRITERS[format](audit, tasks, place, opened)
    return ExportedTasks(place, format, len(tasks), tuple(files))


def _write_csv(audit: AuditFolder, tasks: list[AuditTask], out: Path, store: Store) -> list[Path]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    names = {video_id: store.record(video_id).source.name for video_id in {task.video_id for task in tasks}}
    for task in tasks:
        cells = [task.unit_id, names[task.video_id], f"{task.begin_s:.3f}", f"{task.end_s:.3f}", question_of(audit)]
        writer.writerow([*map(to_cell, cells), "", "", ""])
    path = out / "tasks.csv"
    write_file(path, buffer.getvalue().encode())
    return [path]


def _write_elan(audit: AuditFolder, tasks: list[AuditTask], out: Path, store: Store) -> list[Path]:
    files = []
    for video_id in sorted({task.video_id for task in tasks}):
        mine = sorted((t for t in tasks if t.video_id == video_id), key=lambda t: t.begin_s)
        record = store.record(video_id)
        spans = tuple(Interval(t.begin_s, t.end_s, t.unit_id if audit.design.unit == "clip" else "") for t in mine)
        if audit.design.unit == "clip":
            tiers: tuple[Tier, ...] = (Tier(CODED_TIER, spans), Tier(str(audit.design.state), (), audit.design.subject))
        else:
            tiers = (Tier(ANSWER_TIER, spans, audit.design.subject, ANSWERS),)
        path = out / f"{video_id}.eaf"
        write_file(path, eaf_bytes(Timeline(tiers, record.source.path, record.duration_s)))
        files.append(path)
    return files


def _write_labelstudio(audit: AuditFolder, tasks: list[AuditTask], out: Path, store: Store) -> list[Path]:
    _write_images(tasks, out / "images", store)
    data = [
        {
            "data": {
                "image": f"/data/local-files/?d={out.name}/images/{image_name(task.unit_id)}",
                "unit_id": task.unit_id,
                "question": question_of(audit),
            }
        }
        for task in tasks
    ]
    choices = "".join(f'<Choice value="{answer}"/>' for answer in ANSWERS)
    config = (
        '<View><Header value="$question"/><Image name="image" value="$image"/>'
        f'<Choices name="answer" toName="image" choice="single" required="true">{choices}</Choices></View>\n'
    )
    write_file(out / "tasks.json", json.dumps(data, indent=1).encode())
    write_file(out / "labeling_config.xml", config.encode())
    return [out / "tasks.json", out / "labeling_config.xml"]


def _write_cvat(audit: AuditFolder, tasks: list[AuditTask], out: Path, store: Store) -> list[Path]:
    sizes = _write_images(tasks, out / "images", store)
    labels = [{"name": answer, "type": "tag", "attributes": []} for answer in ANSWERS]
    write_file(out / "labels.json", json.dumps(labels, indent=1).encode())
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    SubElement(SubElement(root, "meta"), "question").text = question_of(audit)
    for number, task in enumerate(tasks):
        width, height = sizes[task.unit_id]
        attributes = {"id": str(number), "name": image_name(task.unit_id), "width": str(width), "height": str(height)}
        SubElement(root, "image", attributes)
    indent(root)
    write_file(out / "annotations.xml", bytes(tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n")
    return [out / "labels.json", out / "annotations.xml"]


def image_name(unit_id: str) -> str:
    """The file name of a unit's image; ``:`` is no character of file names everywhere."""
    return unit_id.replace(":", "__") + ".jpg"


def unit_of_image(name: str) -> str:
    """The inverse of :func:`image_name`; folders before the name do not matter."""
    video, _, frame = Path(name.replace("\\", "/")).stem.rpartition("__")
    return f"{video}:{frame}"


def _write_images(tasks: list[AuditTask], folder: Path, store: Store) -> dict[str, tuple[int, int]]:
    """Write the frames as JPEG; unit → width and height in pixels."""
    # Imported here: other formats need no video libraries.
    from PIL import Image

    from visionllm_interaction.interop.rendering.source_video import source_video
    from visionllm_interaction.video.config import DecodeConfig
    from visionllm_interaction.video.decoding.reader import VideoReader

    folder.mkdir(parents=True, exist_ok=True)
    sizes: dict[str, tuple[int, int]] = {}
    for video_id in sorted({task.video_id for task in tasks}):
        wanted = {task.frame_index: task.unit_id for task in tasks if task.video_id == video_id}
        reader = VideoReader(
            source_video(store, video_id, made="audit task"),
            config=DecodeConfig(stream=store.video(video_id).get("stream")),
        )
        for frame in reader:
            unit_id = wanted.pop(frame.frame_index, None)
            if unit_id is not None:
                sizes[unit_id] = _save(Image.fromarray(frame.image_rgb), folder / image_name(unit_id))
            if not wanted:
                break
        if wanted:
            raise InputDataError(
                "Frames of the audit are not in the video.",
                expected="every frame",
                found=str(sorted(wanted)[:5]),
                where=video_id,
            )
    return sizes


def _save(image: Any, path: Path) -> tuple[int, int]:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    write_file(path, buffer.getvalue())
    return int(image.width), int(image.height)


_OF_IMAGES = ("labelstudio", "cvat")
_WRITERS: Mapping[str, Callable[[AuditFolder, list[AuditTask], Path, Store], list[Path]]] = MappingProxyType(
    {"csv": _write_csv, "elan": _write_elan, "labelstudio": _write_labelstudio, "cvat": _write_cvat}
)
FORMATS = tuple(_WRITERS)
"""Formats of tasks."""
