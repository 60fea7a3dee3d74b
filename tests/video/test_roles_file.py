"""The file that says who is a child: as people write it, and names that nothing has."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.video.tracking.roles import load_roles, resolve_roles, role_of, unused_names


@pytest.mark.parametrize(
    "text",
    [
        "name,role\nperson,child\n",
        "Name, Role\n person , Child \n\n",
        "name;role\r\nperson;CHILD\r\n;\r\n",
        "\ufeffcomment\trole\tname\nit is her\tchild\tperson\n",
    ],
)
def test_tables_of_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "roles.csv").write_text(text, newline="")
    assert load_roles(tmp_path / "roles.csv") == {"person": "child"}


@pytest.mark.parametrize(
    "text",
    [
        "name\nperson\n",
        "name,role\nperson,mother\n",
        "name,role\n,child\n",
        "name,role,role\na,child,child\n",
        "name,role\nA,child\na,caregiver\n",
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "roles.csv").write_text(text)
    with pytest.raises(InputDataError):
        load_roles(tmp_path / "roles.csv")


def test_roles_count_whatever_the_case_of_a_category() -> None:
    roles = resolve_roles({"Person": "child", "Child": "caregiver"})
    assert (role_of(roles, "person"), role_of(roles, "child"), role_of(roles, "Adult")) == (
        "child",
        "caregiver",
        "caregiver",
    )
    assert role_of(roles, "cup") is None


def test_names_that_nothing_has_are_told() -> None:
    roles = resolve_roles({"persn": "child", "Person": "child", "3": "child", "4": "child"})
    assert unused_names(roles, ("person", "cup"), (1, 3)) == ("persn", "4")
