"""Child, household, session, camera and time of each image, from a table or from its path."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_coco import make_coco

from visionllm_interaction.artifacts.raw_file_index import IndexedFile, read_index
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.datasets.ingestion.config import GroupsConfig, IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run
from visionllm_interaction.errors import ConfigError, InputDataError


def ingest(root: Path, groups: GroupsConfig) -> tuple[dict[str, IndexedFile], dict[str, object]]:
    out = root.parent / "run/data_ingestion"
    run(IngestConfig(root=root, groups=groups), out=out)
    index = {str(Path(file.path).relative_to(root)): file for file in read_index(out / "files.parquet")}
    return index, yaml.safe_load((out / "data_manifest.yaml").read_text())


def table(folder: Path, text: str) -> GroupsConfig:
    path = folder / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return GroupsConfig(table=path)


def test_each_file_has_the_split_of_its_folder(tmp_path: Path) -> None:
    index, manifest = ingest(make_coco(tmp_path / "toys"), GroupsConfig())
    assert {name.split("/")[0]: file.split for name, file in index.items()} == {
        "train2017": "train",
        "val2017": "val",
        "annotations": None,
    }
    assert manifest["groups"] == {"pictures": 10, "with_value": {}, "rows_without_picture": 0}


def test_a_table_names_pictures_as_the_annotations_do_or_by_path(tmp_path: Path) -> None:
    text = (
        "\ufefffile_name, child, session, note\n"
        "train_0000.jpg, c1, s1, x\ntrain2017/train_0001.jpg, c1,, x\nval2017\\val_0000.jpg,c2,s9,x\ngone.jpg,c9,s9,x\n"
    )
    index, manifest = ingest(make_coco(tmp_path / "toys"), table(tmp_path, text))
    found = {name: (file.child, file.session, file.camera) for name, file in index.items() if file.child}
    assert found == {
        "train2017/train_0000.jpg": ("c1", "s1", None),
        "train2017/train_0001.jpg": ("c1", None, None),
        "val2017/val_0000.jpg": ("c2", "s9", None),
    }
    assert manifest["groups"] == {
        "pictures": 10,
        "with_value": {"child": 3, "session": 2},
        "rows_without_picture": 1,
    }
    assert str(tmp_path / "groups.csv") in [entry["path"] for entry in manifest["inputs"]]


def test_a_pattern_reads_groups_from_the_path_and_the_table_wins(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    config = table(tmp_path, "file_name,session\ntrain_0002.jpg,from the table\n")
    pattern = r"(?P<camera>train|val)_(?P<session>\d+)"
    index, _ = ingest(root, config.model_copy(update={"pattern": pattern}))
    assert (index["val2017/val_0003.jpg"].camera, index["val2017/val_0003.jpg"].session) == ("val", "0003")
    assert (index["train2017/train_0002.jpg"].camera, index["train2017/train_0002.jpg"].session) == (
        "train",
        "from the table",
    )


BAD_TABLES = {
    "no key column": ("file,child\na.jpg,c1\n", "lacks columns"),
    "no group column": ("file_name,kid\na.jpg,c1\n", "lacks columns"),
    "empty": ("", "lacks columns"),
    "two rows for a file": ("file_name,child\na.jpg,c1\n./a.jpg,c2\n", "two rows"),
    "a row without a file": ("file_name,child\n,c1\n", "two rows"),
}


@pytest.mark.parametrize("case", BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused(tmp_path: Path, case: tuple[str, str]) -> None:
    text, message = case
    with pytest.raises(InputDataError, match=message):
        ingest(make_coco(tmp_path / "toys"), table(tmp_path, text))
    assert not (tmp_path / "run").exists()


def test_a_name_that_is_in_both_splits_must_be_given_as_a_path(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    (root / "val2017/train_0000.jpg").write_bytes((root / "train2017/train_0000.jpg").read_bytes())
    with pytest.raises(InputDataError, match="more than one split"):
        ingest(root, table(tmp_path, "file_name,child\ntrain_0000.jpg,c1\n"))
    index, _ = ingest(root, table(tmp_path, "file_name,child\nval2017/train_0000.jpg,c1\n"))
    assert [name for name, file in index.items() if file.child] == ["val2017/train_0000.jpg"]


@pytest.mark.parametrize("pattern", ["(?P<child>", "c[0-9]+", "(?P<kid>c1)"], ids=["broken", "no names", "other name"])
def test_a_pattern_without_the_known_names_is_a_configuration_problem(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"regular expression|named groups"):
        load_settings(IngestConfig, overrides=[f"groups.pattern='{pattern}'"])
