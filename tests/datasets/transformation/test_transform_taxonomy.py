"""Categories are merged, renamed and left out by name; whatever would shift an id silently is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_coco import change, make_coco
from transform_chain import chain, changes, cleaned, own_output, written

from visionllm_interaction.datasets.transformation.config import TaxonomyConfig, TransformConfig
from visionllm_interaction.datasets.transformation.taxonomy import Contents, require_conserved
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import AnnotationError, ConfigError

LOOSE = ValidateConfig(actions={"CAT-DIFFERENT": "warn", "CAT-ABSENT": "warn"})


def config(**taxonomy: Any) -> TransformConfig:
    return TransformConfig(taxonomy=TaxonomyConfig(**taxonomy))


def names(content: dict[str, Any]) -> dict[str, int]:
    name_of = {c["id"]: c["name"] for c in content["categories"]}
    return dict(Counter(name_of[a["category_id"]] for a in content["annotations"]))


def test_merge_rename_and_keep_by_name(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    taxonomy = config(merge={"toy": ("ball", "cup")}, rename={"child": "infant"}, keep=("toy",))
    manifest = chain(root, folder, config=taxonomy)
    for split, images in (("train", 6), ("val", 4)):
        content = cleaned(folder, split)
        assert content["categories"] == [{"id": 3, "name": "toy", "supercategory": "toy"}]
        assert names(content) == {"toy": 2 * images} and len(content["images"]) == images
    assert [(c.category_id, c.name, c.label) for c in manifest.categories] == [(3, "toy", 1)]
    by_what = Counter((c["action"], c["entity"], c["field"]) for c in changes(folder))
    assert by_what["map", "annotation", "category_id"] == 10 and by_what["map", "annotation", None] == 10
    assert manifest.dropped == {"train": (), "val": ()}


def test_a_merged_category_keeps_the_id_of_the_one_that_has_its_name(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    chain(root, folder, config=config(merge={"cup": ("ball", "cup")}))
    assert [(c["id"], c["name"]) for c in cleaned(folder, "train")["categories"]] == [(7, "cup"), (90, "child")]
    assert names(cleaned(folder, "train")) == {"cup": 12, "child": 6}


def test_ids_are_given_by_name_and_may_be_exchanged(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    chain(root, folder, config=config(ids={"ball": 7, "cup": 3}))
    assert {c["name"]: c["id"] for c in cleaned(folder, "val")["categories"]} == {"ball": 7, "cup": 3, "child": 90}
    assert names(cleaned(folder, "val")) == {"ball": 4, "cup": 4, "child": 4}


def test_running_it_again_changes_nothing(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    taxonomy = config(ids={"ball": 1, "child": 2}, keep=("ball", "child"))
    first = chain(root, tmp_path / "run1", config=taxonomy)
    again = own_output(first, tmp_path / "run1", tmp_path / "data2")
    chain(again, tmp_path / "run2", config=taxonomy)
    assert written(tmp_path / "run1") == written(tmp_path / "run2") and changes(tmp_path / "run2") == []


def renumber(content: dict[str, Any]) -> None:
    """As another export of the same data has it: ids in another order."""
    new = {3: 7, 7: 90, 90: 3}
    for category in content["categories"]:
        category["id"] = new[category["id"]]
    for annotation in content["annotations"]:
        annotation["category_id"] = new[annotation["category_id"]]


def test_ids_that_shift_between_splits_are_refused_and_can_be_aligned(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    change(root, "val", renumber)
    with pytest.raises(AnnotationError, match="mean different things") as error:
        chain(root, tmp_path / "run1", policy=LOOSE)
    assert "3 = ball" in str(error.value.expected) and "3 = child" in str(error.value.found)
    chain(root, tmp_path / "run2", policy=LOOSE, config=config(align=True))
    assert names(cleaned(tmp_path / "run2", "val")) == {"ball": 4, "cup": 4, "child": 4}
    assert {c["name"]: c["id"] for c in cleaned(tmp_path / "run2", "val")["categories"]} == {
        "ball": 3,
        "cup": 7,
        "child": 90,
    }


def test_a_category_only_val_has_is_refused(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    change(root, "val", lambda c: c["categories"].append({"id": 91, "name": "dog"}))
    with pytest.raises(AnnotationError, match="mean different things"):
        chain(root, tmp_path / "run", policy=LOOSE)


def test_names_that_are_not_there_are_all_named(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    with pytest.raises(ConfigError) as error:
        chain(root, tmp_path / "run", config=config(rename={"bal": "toy"}, keep=("cupp",), ids={"ball": 1}))
    assert error.value.problems == ("bal (did you mean ball?)", "cupp (did you mean cup?)")


def test_joining_two_categories_by_accident_is_refused(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    with pytest.raises(ConfigError, match="cup is a category already"):
        chain(root, tmp_path / "run", config=config(rename={"ball": "cup"}))


def test_two_categories_with_one_id_are_refused(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    with pytest.raises(AnnotationError, match="Two categories would have one id"):
        chain(root, tmp_path / "run", config=config(ids={"ball": 90}))


WRONG = [
    {"merge": {"toy": ("ball",)}, "rename": {"ball": "thing"}},
    {"merge": {"toy": ("ball",)}, "rename": {"cup": "toy"}},
    {"ids": {"ball": 1, "cup": 1}},
]


@pytest.mark.parametrize("taxonomy", WRONG)
def test_contradictions_are_refused_before_anything_runs(taxonomy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaxonomyConfig(**taxonomy)


def test_a_shift_of_one_annotation_is_noticed() -> None:
    contents = [Contents(1, 3, ((1, "ball"), (2, "cup")), {"ball": 1, "cup": 2})]
    require_conserved({"ball": 1, "cup": 2}, contents)
    with pytest.raises(AnnotationError, match="changed their category"):
        require_conserved({"ball": 2, "cup": 1}, contents)
