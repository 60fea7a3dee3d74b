"""Read text of MOT Challenge: results of trackers and detectors, and ground truths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from visionllm_interaction.video.detection_files.file_content import (
    FileContent,
    corners_of,
    is_number,
    make_row,
    names_of,
    refuse_second_pass,
    whole_number,
)

_FIELDS = range(6, 11)
_NAMES: Mapping[int, str] = {1: "person", 2: "person", 3: "car", 4: "bicycle", 5: "motorcycle", 7: "person"}
"""Classes of MOT Challenge that are people or vehicles → name; 2 are riders, 7 people who stand still."""
_WITH_CLASS = (8, 9)
"""Numbers of fields of a ground truth, whose eighth is the class; of ten, the last three are a place in the room."""
_CONFIDENCE, _CLASS = 6, 7
_UNSTATED = -1.0

Numbers = list[float]


def is_mot(text: str) -> bool:
    """Whether a text begins with a line of six to ten numbers, with commas, semicolons, tabs or blanks between them."""
    first = _fields(next((line for line in text.splitlines() if line.strip()), ""))
    return len(first) in _FIELDS and all(is_number(field) for field in first)


def read_mot(path: Path, text: str) -> FileContent:
    """Read lines ``frame, id, left, top, width, height, confidence, class, visibility``; frames from 1.

    Args:
        path: the file; ``labels.txt`` beside it names the classes.
        text: its text.

    Returns:
        The content; frames from 0, boxes xyxy.

    Raises:
        ValueError: if a line is of another form, its confidence is not within 0 and 1, or its class has no name.
    """
    listed = path.with_name("labels.txt")
    names = dict(enumerate(listed.read_text(encoding="utf-8-sig").split("\n"), start=1)) if listed.is_file() else None
    lines = list(_lines(text))
    stated = [values[_CONFIDENCE] for _, values in lines if len(values) > _CONFIDENCE]
    # Results of trackers say -1 where a detector states its confidence.
    unstated = not any(value != _UNSTATED for value in stated)
    _check_confidences(lines, unstated=unstated)
    is_truth = all(value in (0.0, 1.0) for value in stated)
    rows = []
    for number, values in lines:
        kind = _kind(values)
        if len(values) in _WITH_CLASS and values[_CONFIDENCE] == 0:
            continue  # in a ground truth: not to be considered, whatever it is
        name = _name(kind, names, is_truth=is_truth)
        if not name or values[0] < 1:
            raise ValueError(f"line {number}: frame {values[0]:g}, class {kind}{'' if name else _UNNAMED}")
        sure = 1.0 if unstated else values[_CONFIDENCE]
        rows.append(make_row(whole_number(values[0]) - 1, name.strip(), sure, corners_of(values[2:6])))
    if all(values[1] < 0 for _, values in lines):
        refuse_second_pass(rows)
    notes = ("the file states no confidences: all are 1",) if unstated else ()
    return FileContent(rows, names_of(rows) or ("person",), notes=notes)


_UNNAMED = "; name the classes in labels.txt beside the file"


def _lines(text: str) -> Iterator[tuple[int, Numbers]]:
    """Number and numbers of each line that is not blank."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        values = [float(field) for field in _fields(line)]
        if len(values) not in _FIELDS:
            raise ValueError(f"line {number} has {len(values)} numbers, expected six to ten")
        if any(value != int(value) for value in values[:2]):
            raise ValueError(
                f"line {number} begins with {values[0]:g} and {values[1]:g}: frame and track are whole numbers"
            )
        yield number, values


def _fields(line: str) -> list[str]:
    """The fields of a line; a semicolon leaves the comma to the numbers, and one sign at the end closes the line."""
    line = line.strip()
    if ";" in line:
        return [field.replace(",", ".").strip() for field in line.removesuffix(";").split(";")]
    if "," in line:
        return [field.strip() for field in line.removesuffix(",").split(",")]
    return line.split()


def _kind(values: Numbers) -> int:
    return whole_number(values[_CLASS]) if len(values) in _WITH_CLASS and values[_CLASS] >= 0 else 1


def _name(kind: int, names: Mapping[int, str] | None, *, is_truth: bool) -> str | None:
    """The name of a class; trackers write the classes of their detector, which only a list can name."""
    if names is not None:
        return names.get(kind)
    return _NAMES.get(kind) if is_truth or kind == 1 else None


def _check_confidences(lines: list[tuple[int, Numbers]], *, unstated: bool) -> None:
    """Refuse scores that are no confidences."""
    if unstated:
        return
    for number, values in lines:
        sure = values[_CONFIDENCE] if len(values) > _CONFIDENCE else _UNSTATED
        if sure == _UNSTATED:
            raise ValueError(
                f"line {number} states no confidence ({sure:g}), and other lines do: give all, or -1 in all"
            )
        if not 0.0 <= sure <= 1.0:
            raise ValueError(
                f"line {number}: {sure:g} is a score of the detector, no confidence within 0 and 1: convert the "
                "seventh column, or write -1 in all lines"
            )
    of_truth = [values[_CONFIDENCE] for _, values in lines if len(values) in _WITH_CLASS]
    if of_truth and not any(of_truth):
        raise ValueError(
            "the seventh column is 0 in every line: nothing to be considered, or confidences that were rounded to "
            "whole numbers; write -1 in all lines if they are not known"
        )
