"""Roles (child, caregiver) from category names or from a mapping file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.spreadsheet_tables import read_table

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
        path: CSV file (commas, semicolons or tabs) with the columns ``name`` and ``role``, in any case and order; a
            name is a category or a track id. Other columns and blank lines do not count.

    Returns:
        Role by name.

    Raises:
        InputDataError: if the file cannot be read, lacks a column, repeats a name or has an unknown role.
    """
    path = Path(path)
    try:
        columns, rows = read_table(path)
    except OSError as error:
        raise _refused(path, found=str(error)) from error
    if any(columns.count(name) != 1 for name in _COLUMNS):
        raise _refused(path, found=f"columns {', '.join(columns) or 'none'}")
    roles: dict[str, str] = {}
    for line, row in rows:
        name, role = row["name"], row["role"].casefold()
        if not name or name.casefold() in {other.casefold() for other in roles} or role not in ROLES:
            raise _refused(path, found=f"line {line}: name {name!r}, role {role!r}")
        roles[name] = role
    return roles


def resolve_roles(overrides: Mapping[str, str]) -> dict[str, str]:
    """The default roles by category name, overridden by ``overrides``, whatever the case of their names."""
    given = {name.casefold() for name in overrides}
    return {**{name: role for name, role in CATEGORY_ROLES.items() if name not in given}, **overrides}


def role_of(roles: Mapping[str, str], category: str) -> str | None:
    """The role of a category: by its name as it is written, else whatever its case.

    Args:
        roles: role by name.
        category: name of the category.

    Returns:
        The role, or ``None``.
    """
    if category in roles:
        return roles[category]
    return next((role for name, role in roles.items() if name.casefold() == category.casefold()), None)


def unused_names(roles: Mapping[str, str], categories: Iterable[str], track_ids: Iterable[int]) -> tuple[str, ...]:
    """Names of a file of roles that neither a category nor a track has.

    Args:
        roles: role by name.
        categories: the categories that are looked for.
        track_ids: the tracks of the video.

    Returns:
        The names, as they are written; those of :data:`CATEGORY_ROLES` need not occur.
    """
    known = {*CATEGORY_ROLES, *(name.casefold() for name in categories), *map(str, track_ids)}
    return tuple(name for name in roles if name.casefold() not in known)


def _refused(path: Path, *, found: str) -> InputDataError:
    return InputDataError(
        "The file of roles cannot be used.",
        expected=f"CSV: columns name,role; each name (a category or track id) once; role {' or '.join(ROLES)}",
        found=found,
        where=str(path),
    )
