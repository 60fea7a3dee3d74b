"""YAML with a duplicate key is refused, naming both lines; merges are no duplicates."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from visionllm_interaction.artifacts.manifest import Manifest
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.formats.yolo.names_and_splits import read_dataset
from visionllm_interaction.datasets.validation.manifest_input import read_source
from visionllm_interaction.errors import AnnotationError, ManifestError, VisionLLMError
from visionllm_interaction.reasoning.question_templates import load_template
from visionllm_interaction.server.auth.api_keys import list_keys
from visionllm_interaction.store.layout import read_version
from visionllm_interaction.utils.strict_yaml import DuplicateKeysError, load_yaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "path", "lines"),
    [
        ("train: {a: 1}\nmodel: {}\ntrain: {b: 2}\n", ("train",), (1, 3)),  # a section
        ("train:\n  lr: 1\n  epochs: 2\n  lr: 3\n", ("train", "lr"), (2, 4)),  # a key of a section
        ("a:\n  - b: 1\n    b: 2\n", ("a", "0", "b"), (2, 3)),  # inside a list
        ("a: 1\n'a': 2\n", ("a",), (1, 2)),  # written differently, the same key
        ("1: x\n0x1: y\n", ("1",), (1, 2)),  # the same number
        ("a: {b: 1, b: 2}\n", ("a", "b"), (1, 1)),  # on one line
        ("a: 1\na: 2\na: 3\n", ("a",), (1, 2, 3)),
        ("base: &base\n  a: 1\n  a: 2\nuse:\n  <<: *base\n", ("base", "a"), (2, 3)),  # where it is written out
        ("<<: {a: 1, a: 2}\n", ("a",), (1, 1)),  # inside what is merged
    ],
)
def test_duplicates_are_named_with_their_lines(text: str, path: tuple[str, ...], lines: tuple[int, ...]) -> None:
    with pytest.raises(DuplicateKeysError) as caught:
        load_yaml(text)
    [duplicate] = caught.value.duplicates
    assert (duplicate.path, duplicate.lines) == (path, lines)
    assert ".".join(path) in str(caught.value) and str(lines[-1]) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("a: &x {k: 1}\nb: {<<: *x, k: 2}\n", {"a": {"k": 1}, "b": {"k": 2}}),  # overrides what it merges
        ("a: &x {k: 1}\nb: &y {k: 2}\nc: {<<: [*x, *y]}\n", {"a": {"k": 1}, "b": {"k": 2}, "c": {"k": 1}}),
        ("a: &x {k: 1}\nb: *x\nc: *x\n", {"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1}}),  # aliases
        ("1: a\n'1': b\n", {1: "a", "1": "b"}),  # a number and a text
        ("a: {k: 1}\nb: {k: 1}\n", {"a": {"k": 1}, "b": {"k": 1}}),  # in different sections
        ("", None),
    ],
)
def test_what_is_no_duplicate_is_read(text: str, content: object) -> None:
    assert load_yaml(text) == content


@pytest.mark.parametrize(
    "text", ["a: [1", "? {a: 1}\n: 1\n", "a: 2021-99-99\n", "a: &r [*r]\n", "!!python/name:os.x 1"]
)
def test_what_is_not_safe_yaml_is_an_error_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)


def test_lines_of_keys() -> None:
    document = parse_yaml("# a comment\na:\n  b: 1\n\n  c: 2\n")
    assert document.lines == {("a",): 2, ("a", "b"): 3, ("a", "c"): 5}


@pytest.mark.parametrize(
    ("read", "text", "kind"),
    [
        (
            lambda path: read_dataset(path, ImageFiles(path.parent)),
            "names: [cup]\nnames: [ball]\n",
            AnnotationError,
        ),  # YOLO's data.yaml
        (Manifest.load, "stage: ingest\nstage: train\n", ManifestError),
        (read_source, "index: a\nindex: b\n", ManifestError),
        (list_keys, "keys: []\nkeys: []\n", VisionLLMError),
        (lambda path: load_template(str(path)), "name: a\nname: b\n", VisionLLMError),
        (lambda path: read_version(path.parent), "schema_version: 1\nschema_version: 2\n", VisionLLMError),
    ],
)
def test_every_reader_names_both_lines_and_the_file(
    read, text: str, kind: type[VisionLLMError], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "store.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=r"twice, in lines 1 and 2") as caught:
        read(path)
    assert str(tmp_path) in str(caught.value)


def test_nothing_reads_yaml_past_the_one_loader() -> None:
    package = Path(load_yaml.__code__.co_filename).parents[1]
    others = [
        path.name
        for path in package.rglob("*.py")
        if path.name != "strict_yaml.py" and any(call in path.read_text(encoding="utf-8") for call in _OTHER_LOADERS)
    ]
    assert others == []


_OTHER_LOADERS = ("yaml.safe_load", "yaml.load(", "yaml.full_load", "YAML(")
