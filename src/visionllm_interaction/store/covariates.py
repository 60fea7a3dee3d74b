"""Covariates of videos: child, age, group, camera, light. They stay when a video is analysed again."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from visionllm_interaction.errors import InputDataError, StoreError, UsageError
from visionllm_interaction.store.layout import check_store, check_video_id, list_videos, unknown_video
from visionllm_interaction.store.video_identity import resolve_video
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.csv_safety import from_cell
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.path_type import StrPath

COVARIATES_FILE = "covariates.json"
KNOWN = ("child", "age_months", "group", "camera", "light")
"""Covariates with a field of their own; any other has a free name."""


class Covariates(BaseModel):
    """What is known about a video beside its images.

    Attributes:
        child: id of the child; videos of one child depend on each other.
        age_months: age of the child in months.
        group: for example ``control``.
        camera: for example ``head`` or ``room``.
        light: for example ``daylight``.
        other: further covariates by name; numbers are kept as numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    child: str | None = None
    age_months: float | None = Field(default=None, ge=0, le=1200, allow_inf_nan=False)
    group: str | None = None
    camera: str | None = None
    light: str | None = None
    other: dict[str, float | str] = {}

    @field_validator("child", "group", "camera", "light")
    @classmethod
    def _not_blank(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("is blank")
        return value

    def values(self) -> dict[str, float | str]:
        """Every known covariate by name."""
        own = {name: getattr(self, name) for name in KNOWN}
        return {**{name: value for name, value in own.items() if value is not None}, **self.other}


def read_covariates(store: StrPath, video_id: str) -> Covariates | None:
    """The covariates of a video.

    Args:
        store: the store's folder.
        video_id: the video.

    Returns:
        Its covariates; None if none were set.

    Raises:
        StoreError: if their file is damaged.
    """
    path = Path(store) / "videos" / check_video_id(video_id) / COVARIATES_FILE
    if not path.is_file():
        return None
    try:
        return Covariates.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(
            "The covariates of a video cannot be read.",
            expected=f"a {COVARIATES_FILE} as `visionllm videos set` writes it",
            found=" ".join(str(error).split())[:300],
            where=str(path),
            fix="delete the file and set the covariates again",
        ) from error


def write_covariates(store: StrPath, video: str, changes: Mapping[str, Any]) -> Covariates:
    """Set covariates of a video; those not named stay.

    Args:
        store: the store's folder.
        video: its id in the store, or the path of the file.
        changes: name → value; None or an empty text takes a covariate away.

    Returns:
        All covariates of the video.

    Raises:
        StoreError: if the store or video is not there.
        UsageError: if a value is impossible.
    """
    check_store(store)
    return _write(Path(store), resolve_video(store, video), changes, where=video)


def _write(store: Path, video_id: str, changes: Mapping[str, Any], *, where: str) -> Covariates:
    folder = store / "videos" / check_video_id(video_id)
    with wait_for_lock(store):
        if not folder.is_dir():
            raise unknown_video(store, video_id)
        former = read_covariates(store, video_id) or Covariates()
        updated = _changed(former, changes, where)
        write_file(folder / COVARIATES_FILE, (updated.model_dump_json(indent=1) + "\n").encode())
    return updated


def _changed(former: Covariates, changes: Mapping[str, Any], where: str) -> Covariates:
    values: dict[str, Any] = former.model_dump()
    other = dict(former.other)
    for name, value in changes.items():
        empty = value is None or (isinstance(value, str) and not value.strip())
        if name in KNOWN:
            values[name] = None if empty else value
        elif empty:
            other.pop(name, None)
        else:
            other[_checked_name(name)] = _number_or_text(value)
    try:
        return Covariates.model_validate({**values, "other": other})
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(
            "A covariate is impossible.",
            expected="text, or an age from 0 to 1200 months",
            found=f"{'.'.join(map(str, problem['loc']))}: {problem['msg']} ({problem['input']!r})",
            where=where,
        ) from error


def _checked_name(name: str) -> str:
    if name.isidentifier():
        return name
    raise UsageError("A covariate's name cannot be used.", expected="letters, digits and underscores", found=repr(name))


def _number_or_text(value: Any) -> float | str:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value).strip()
    return number if math.isfinite(number) else str(value).strip()


def set_covariates_from_csv(store: StrPath, table: StrPath) -> dict[str, Covariates]:
    """Set covariates of many videos from a table.

    Args:
        store: the store's folder.
        table: a CSV file with a column ``video`` (id in the store, or path or name of the file) and one column per
            covariate; empty cells leave a covariate as it is.

    Returns:
        Video id → all covariates of the video.

    Raises:
        InputDataError: if the table has no such column, or names a video twice. Nothing is set then.
        StoreError: if the store or a video is not there. Nothing is set then.
    """
    check_store(store)
    store = Path(store)
    names = _VideoNames(store)
    rows = [(names.video_of(name), values) for name, values in _rows(Path(table))]
    twice = sorted(video_id for video_id, times in Counter(video_id for video_id, _ in rows).items() if times > 1)
    if twice:
        raise InputDataError(
            "The table names a video twice.", expected="one row per video", found=twice[0], where=str(table)
        )
    for video_id, values in rows:  # first all checks, then all changes
        _changed(Covariates(), values, video_id)
    return {video_id: _write(store, video_id, values, where=video_id) for video_id, values in rows}


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputDataError("The table cannot be read.", expected="a CSV file in UTF-8", found=str(error)) from error
    dialect = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=dialect)
    names = [(name or "").strip() for name in reader.fieldnames or ()]
    key = next((name for name in ("video", "video_id") if name in names), None)
    if key is None:
        raise InputDataError(
            "The table has no column that names the video.",
            expected="a column `video`",
            found=", ".join(names) or "no columns",
            where=str(path),
        )
    for row in reader:
        cells = {(name or "").strip(): from_cell(cell or "").strip() for name, cell in row.items() if name}
        yield cells.pop(key), {name: cell for name, cell in cells.items() if name and cell}


class _VideoNames:
    """The videos of a store by their ids, and by the names of their files: records are read once, if at all."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._ids = frozenset(list_videos(store))

    @cached_property
    def _of_files(self) -> Mapping[str, list[str]]:
        """Name of a file, its stem or its path → ids of the videos that were made from one called so, sorted."""
        from visionllm_interaction.store.video_record import read_record

        found: dict[str, list[str]] = {}
        for video_id in sorted(self._ids):
            record = read_record(self._store / "videos" / video_id)
            if record is not None:
                for name in {record.source.name, record.source.path, Path(record.source.name).stem}:
                    found.setdefault(name, []).append(record.video_id)
        return found

    def video_of(self, name: str) -> str:
        """A video by its id, or by the name of its file where one video has it."""
        if name in self._ids:
            return name
        found = self._of_files.get(name, [])
        if not found:
            raise unknown_video(self._store, name)
        if len(found) > 1:
            raise StoreError(
                "Several videos have this file name.", expected="the id of one", found=", ".join(found), where=name
            )
        return found[0]
