"""Configuration: files and overrides merge in order; every mistake is named in one message."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from visionllm_interaction.config_loading import Section, load_settings
from visionllm_interaction.errors import ConfigError


class Inner(Section):
    epochs: int = Field(default=3, ge=1)
    rate: float = Field(default=0.1, gt=0)


class Outer(Section):
    train: Inner = Inner()
    name: str | None = None
    folder: Path = Path("here")


def _write(folder: Path, text: str, name: str = "a.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_later_files_and_overrides_win(tmp_path: Path) -> None:
    first = _write(tmp_path, "train: {epochs: 5, rate: 0.2}\nname: first")
    second = _write(tmp_path, "train: {epochs: 6}", "b.yaml")
    settings = load_settings(Outer, [first, second], ["train.rate=0.5", "name=null"])
    assert settings == Outer(train=Inner(epochs=6, rate=0.5), name=None)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(Outer).name = "new"  # type: ignore[misc]


def test_three_mistakes_are_named_in_one_message(tmp_path: Path) -> None:
    path = _write(tmp_path, "train: {epoch: 5, rate: fast}")
    with pytest.raises(ConfigError) as caught:
        load_settings(Outer, [path], ["train.epochs=0"])
    message = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "train.epoch: unknown key, did you mean 'epochs'?" in message
    assert "train.rate" in message
    assert "'fast'" in message
    assert "train.epochs" in message
    assert "greater than or equal to 1" in message
    assert str(path) in message  # where a mistake of a file is
    assert "-o train.epochs=0" in message  # where a mistake of an override is
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "not valid YAML"),  # a bracket left open
        ("- 1\n- 2", "expected a mapping"),  # a list
        ("colour: red", "unknown key; known keys here: folder, name, train"),  # nothing near: all keys are named
    ],
)
def test_bad_files(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load_settings(Outer, [_write(tmp_path, text)])


def test_missing_file_and_bad_override_are_both_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(Outer, [tmp_path / "none.yaml"], ["epochs"])
    assert len(caught.value.problems) == 2
    assert "key=value" in str(caught.value)


def test_empty_file_means_defaults(tmp_path: Path) -> None:
    assert load_settings(Outer, [_write(tmp_path, "")]) == Outer()


class Places(Section):
    folder: Path = Path("here")
    table: Path | None = None
    folders: tuple[Path, ...] = ()
    server: str | None = None


@pytest.mark.parametrize("given", ["folder=s3://lab/x", "table=https://host/x", "folders=[a, gs://lab/x]"])
def test_an_address_is_no_path(given: str) -> None:
    """It would become a folder named ``s3:`` in the present one."""
    with pytest.raises(ConfigError, match="Input should be a path of this machine, not an address") as caught:
        load_settings(Places, overrides=[given])
    assert given in caught.value.message


def test_what_is_no_path_may_be_an_address_and_an_alias_is_none() -> None:
    found = load_settings(Places, overrides=["server=https://host", "folder=models:/name@alias", "table=a:/b"])
    assert (found.server, found.folder, found.table) == ("https://host", Path("models:/name@alias"), Path("a:/b"))
