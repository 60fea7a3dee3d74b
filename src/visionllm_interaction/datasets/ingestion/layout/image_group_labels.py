"""Note on each image which child, household, session, camera and time it belongs to."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.artifacts.raw_file_index import IndexedFile
from visionllm_interaction.datasets.ingestion.config import GroupsConfig
from visionllm_interaction.errors import InputDataError

KEY_COLUMN = "file_name"
Groups = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """How far the groups reach: images with a value per column, and rows of the table that name no image."""

    pictures: int
    with_value: dict[str, int]
    rows_without_picture: int = 0


def add_groups(
    index: Sequence[IndexedFile], config: GroupsConfig, *, root: Path, folders: Mapping[str, Path]
) -> tuple[list[IndexedFile], GroupCounts]:
    """Fill in the group columns of the index; where both give a value, the table overrides the pattern.

    Args:
        index: the index of raw files.
        config: the table of groups and the file name pattern.
        root: folder that table rows and patterns are relative to.
        folders: split → image folder; table rows may be relative to it as well.

    Returns:
        The index with group columns, and the number of images with each kind of group.

    Raises:
        InputDataError: if the table cannot be read, has no usable column, or names an image twice.
    """
    table = read_table(config.table) if config.table else {}
    pattern = re.compile(config.pattern) if config.pattern else None
    used: Counter[str] = Counter()
    grouped = []
    for file in index:
        if file.split is None:
            grouped.append(file)
            continue
        below_root, below_folder = _relative(file.path, root), _relative(file.path, folders[file.split])
        keys = [key for key in dict.fromkeys((below_root, below_folder)) if key in table]
        used.update(keys)
        values: dict[str, Any] = {
            **_searched(pattern, below_root),
            **{k: v for key in reversed(keys) for k, v in table[key].items()},
        }
        grouped.append(replace(file, **values) if values else file)
    _refuse_ambiguous(used, config.table)
    return grouped, _count(grouped, rows_without_picture=len(table.keys() - used.keys()))


_HIGHEST_FIRST = ("household", "child", "session")


def grouping(config: GroupsConfig) -> Callable[[str], str | None] | None:
    """Make the function that says which images must stay in one split.

    The group is the household, else the child, else the session.

    Args:
        config: the table of groups and the file name pattern.

    Returns:
        A function from image name to group, ``None`` for an unknown one; or ``None`` if nothing is configured.

    Raises:
        InputDataError: if the table of groups cannot be read.
    """
    if config.table is None and config.pattern is None:
        return None
    table = read_table(config.table) if config.table else {}
    pattern = re.compile(config.pattern) if config.pattern else None

    def group_of(name: str) -> str | None:
        keys = (name, f"train2017/{name}", f"val2017/{name}")
        values = {**_searched(pattern, f"train2017/{name}"), **next((table[key] for key in keys if key in table), {})}
        return next((f"{column} {values[column]}" for column in _HIGHEST_FIRST if values.get(column)), None)

    return group_of


def group_lookup(config: GroupsConfig) -> Callable[[str], Groups]:
    """Make the function that names the groups of files that are in no data set yet.

    Args:
        config: the table of groups and the file name pattern.

    Returns:
        A function from the path below a folder to its groups by column; empty for an unknown one.

    Raises:
        InputDataError: if the table of groups cannot be read.
    """
    table = read_table(config.table) if config.table else {}
    pattern = re.compile(config.pattern) if config.pattern else None
    return lambda name: {**_searched(pattern, name), **table.get(_normal(name), {})}


def _relative(path: str, folder: Path) -> str:
    full = PurePosixPath(path)
    return str(full.relative_to(folder)) if full.is_relative_to(folder) else full.name


def _searched(pattern: re.Pattern[str] | None, path: str) -> dict[str, str]:
    match = pattern.search(path) if pattern else None
    return {name: value for name, value in match.groupdict().items() if value} if match else {}


def _refuse_ambiguous(used: Counter[str], table: Path | None) -> None:
    twice = [key for key, count in used.items() if count > 1]
    if twice:
        raise InputDataError(
            "The table of groups names an image that is in more than one split.",
            expected=f"each {KEY_COLUMN} to mean one image",
            found=", ".join(sorted(twice)[:5]),
            where=str(table),
            fix="write the path below the data folder, for example train2017/0001.jpg",
        )


def _count(index: Sequence[IndexedFile], *, rows_without_picture: int) -> GroupCounts:
    pictures = [file for file in index if file.split]
    with_value = {name: sum(getattr(file, name) is not None for file in pictures) for name in GROUP_COLUMNS}
    return GroupCounts(len(pictures), {name: n for name, n in with_value.items() if n}, rows_without_picture)


def read_table(path: Path) -> dict[str, Groups]:
    """Read the table of groups.

    Args:
        path: the CSV file.

    Returns:
        File name → groups, without empty cells.

    Raises:
        InputDataError: if it cannot be read, lacks columns, or has two rows for one file.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            columns = _columns(reader.fieldnames, path)
            rows = [(row[KEY_COLUMN], {name: row[name] for name in columns if row[name]}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputDataError(
            "The table of groups cannot be read.",
            expected="a CSV file in UTF-8",
            found=str(error),
            where=str(path),
            fix="save it as CSV in UTF-8, and name it with -o data.groups.table=FILE",
        ) from error
    table: dict[str, Groups] = {_normal(name): groups for name, groups in rows if name}
    if len(table) < len(rows):
        raise InputDataError(
            "The table of groups has two rows for one file, or a row without one.",
            expected=f"one row per {KEY_COLUMN}",
            found=f"{len(rows)} rows for {len(table)} files",
            where=str(path),
            fix="remove the rows that repeat a file, and those without a name",
        )
    return table


def _columns(found: Sequence[str] | None, path: Path) -> list[str]:
    columns = [name for name in GROUP_COLUMNS if name in (found or ())]
    if KEY_COLUMN not in (found or ()) or not columns:
        raise InputDataError(
            "The table of groups lacks columns.",
            expected=f"{KEY_COLUMN} and at least one of {', '.join(GROUP_COLUMNS)}",
            found=", ".join(found or ()) or "an empty file",
            where=str(path),
            fix=f"give its first line these names, for example {KEY_COLUMN},child,session",
        )
    return columns


def _normal(name: str) -> str:
    return str(PurePosixPath(name.strip().replace("\\", "/")))
