"""Roles (child, caregiver) from category names or from a mapping file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath

ROLES: tuple[str, ...] = ("child", "caregiver")
CATEGORY_ROLES: Mapping[str, str] = {
    "child": "child",
    "caregiver": "caregiver",
    "infant": "child",
    "adult": "caregiver",
}
"""Roles that follow from a category's name; a plain ``person`` has none."""
_COLUMNS = ("name", "role")


def load_roles(path: StrPath) -> dict[str, str]:
    """Read a mapping of names to roles.

    Args:
        path: CSV file with the columns ``name,role``; a name is a category or a track id.

    Returns:
        Role by name.

    Raises:
        InputDataError: if the file cannot be read, lacks a column, repeats a name or has an unknown role.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, found=str(error)) from error
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise _refused(path, found=f"columns {', '.join(reader.fieldnames or ()) or 'none'}")
    roles: dict[str, str] = {}
    for line, row in enumerate(reader, start=2):
        name, role = (row["name"] or "").strip(), (row["role"] or "").strip()
        if not name or name in roles or role not in ROLES:
            raise _refused(path, found=f"line {line}: name {name!r}, role {role!r}")
        roles[name] = role
    return roles


def resolve_roles(overrides: Mapping[str, str]) -> dict[str, str]:
    """The default roles by category name, overridden by ``overrides``."""
    return {**CATEGORY_ROLES, **overrides}


def _refused(path: Path, *, found: str) -> InputDataError:
    return InputDataError(
        "The file of roles cannot be used.",
        expected=f"CSV: columns name,role; each name (a category or track id) once; role {' or '.join(ROLES)}",
        found=found,
        where=str(path),
    )
