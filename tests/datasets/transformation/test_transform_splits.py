"""Splits: no group in both, categories alike, refused with the reason where that cannot be; the audit of leakage."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.sparse import csr_array
from transform_chain import chain, changes, cleaned, own_output, written

from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.datasets.ingestion.config import GroupsConfig
from visionllm_interaction.datasets.transformation.config import SplitsConfig, TransformConfig
from visionllm_interaction.datasets.transformation.split_solver import SplitProblem, divide
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import InputDataError

GROUPS = GroupsConfig(pattern=r"(?P<household>h\d+)_(?P<child>c\d+)_(?P<session>s\d+)")
LOOSE = ValidateConfig(actions={"CAT-ABSENT": "warn", "LEAK-SAME-FILE": "warn", "IMG-DUPLICATE": "warn"})
CATEGORIES = [{"id": 1, "name": "child"}, {"id": 2, "name": "ball"}, {"id": 5, "name": "cup"}]


def make_families(root: Path, *, households: int = 10, pictures: int = 4, rare_in: int = 10) -> Path:
    """Images named by household, child and session, dealt to train and val so that every household is in both.

    Both files number their images and annotations from 1. The cup is shown in the first ``rare_in`` households only.
    """
    content = {s: {"images": [], "annotations": [], "categories": CATEGORIES, "info": s} for s in ("train", "val")}
    for household in range(households):
        for number in range(pictures):
            split = "val" if number == 0 else "train"
            name = f"h{household}_c{household}{number % 2}_s{number}.png"
            _picture(root / f"{split}2017" / name, household * 100 + number)
            shown = [1, 2, 5] if household < rare_in else [1, 2]
            _add(content[split], name, shown)
    (root / "annotations").mkdir()
    for split, value in content.items():
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(value))
    return root


def _picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def _add(content: dict[str, Any], name: str, shown: list[int]) -> None:
    image_id = len(content["images"]) + 1
    content["images"].append({"id": image_id, "file_name": name, "width": 32, "height": 24})
    for number in shown:
        box = {"bbox": [1, 1, 9 + number, 8], "area": 72 + 8 * number, "iscrowd": 0, "note": f"{name} {number}"}
        content["annotations"].append(
            {"id": len(content["annotations"]) + 1, "image_id": image_id, "category_id": number, **box}
        )


def split_up(root: Path, folder: Path, **options: Any) -> TrainingManifest:
    splits = SplitsConfig(**{"val_share": 0.3, "group_by": ("household",), **options})
    return chain(root, folder, policy=LOOSE, groups=GROUPS, config=TransformConfig(splits=splits))


def households(folder: Path, split: str) -> set[str]:
    return {Path(i["file_name"]).name.split("_")[0] for i in cleaned(folder, split)["images"]}


def content_of(folder: Path) -> Counter[tuple[str, str]]:
    """What is shown in which image, whatever the ids."""
    seen: Counter[tuple[str, str]] = Counter()
    for split in ("train", "val"):
        content = cleaned(folder, split)
        name_of = {i["id"]: Path(i["file_name"]).name for i in content["images"]}
        seen.update((name_of[a["image_id"]], a["note"]) for a in content["annotations"])
    return seen


def test_no_household_is_in_both_and_nothing_is_lost(tmp_path: Path) -> None:
    root, folder = make_families(tmp_path / "data"), tmp_path / "run"
    manifest = split_up(root, folder)
    train, val = households(folder, "train"), households(folder, "val")
    assert len(train) == 7 and len(val) == 3 and not train & val
    expected = Counter(
        (i["file_name"], a["note"])
        for s in ("train", "val")
        for content in [json.loads((root / f"annotations/instances_{s}2017.json").read_text())]
        for i in content["images"]
        for a in content["annotations"]
        if a["image_id"] == i["id"]
    )
    assert content_of(folder) == expected
    for split in ("train", "val"):
        content = cleaned(folder, split)
        for records in (content["images"], content["annotations"]):
            assert len({r["id"] for r in records}) == len(records)
        assert all((Path(manifest.images[split]) / i["file_name"]).is_file() for i in content["images"])
        assert content["info"] == split
    assert manifest.counts["val"].images == 12
    assert manifest.leakage["groups"]["household"] == {
        "train": 7,
        "val": 3,
        "shared": 0,
        "examples": [],
        "pictures_without": 0,
    }
    assert manifest.leakage["disjoint_by"] == ["household"] and manifest.leakage["same_file"]["shared"] == 0


def test_without_new_splits_the_audit_names_what_is_shared(tmp_path: Path) -> None:
    root, folder = make_families(tmp_path / "data", households=3), tmp_path / "run"
    copy = root / "train2017/h0_c01_s1.png"
    copy.write_bytes((root / "val2017/h0_c00_s0.png").read_bytes())
    leakage = chain(root, folder, policy=LOOSE, groups=GROUPS).leakage
    assert leakage["splits"] == "as they came" and leakage["disjoint_by"] == []
    assert leakage["groups"]["household"]["examples"] == ["h0", "h1", "h2"]
    assert leakage["same_file"] == {
        "shared": 1,
        "examples": [{"train": "h0_c01_s1.png", "val": "h0_c00_s0.png"}],
    }


def test_its_own_output_is_divided_the_same_way(tmp_path: Path) -> None:
    root = make_families(tmp_path / "data")
    first = split_up(root, tmp_path / "run1")
    again = own_output(first, tmp_path / "run1", tmp_path / "data2")
    split_up(again, tmp_path / "run2")
    assert written(tmp_path / "run1") == written(tmp_path / "run2") and changes(tmp_path / "run2") == []


def test_the_seed_chooses_among_equals(tmp_path: Path) -> None:
    root = make_families(tmp_path / "data")
    chosen = set()
    for seed in range(6):
        split_up(root, tmp_path / f"run{seed}", seed=seed)
        chosen.add(frozenset(households(tmp_path / f"run{seed}", "val")))
    assert len(chosen) >= 4


def test_rare_categories_get_into_both(tmp_path: Path) -> None:
    root, folder = make_families(tmp_path / "data", rare_in=2), tmp_path / "run"
    split_up(root, folder)
    for split in ("train", "val"):
        assert {a["category_id"] for a in cleaned(folder, split)["annotations"]} == {1, 2, 5}


def test_a_child_in_two_households_ties_them_together(tmp_path: Path) -> None:
    root, folder = make_families(tmp_path / "data"), tmp_path / "run"
    table = tmp_path / "groups.csv"
    rows = ["file_name,child"]
    rows += [
        f"{p.name},{'shared' if p.name.startswith(('h1_', 'h2_')) else p.name.split('_')[1]}"
        for s in ("train", "val")
        for p in sorted((root / f"{s}2017").iterdir())
    ]
    table.write_text("\n".join(rows) + "\n")
    groups = GroupsConfig(table=table, pattern=GROUPS.pattern)
    for seed in range(4):
        place = folder / str(seed)
        splits = SplitsConfig(val_share=0.3, group_by=("household", "child"), seed=seed)
        chain(root, place, policy=LOOSE, groups=groups, config=TransformConfig(splits=splits))
        val = households(place, "val")
        assert ("h1" in val) == ("h2" in val)


# what is asked → what the refusal says
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "one family": ({"households": 1}, {}, "all hang together by household"),
    "no share of three": ({"households": 3}, {"val_share": 0.5, "tolerance": 0.1}, "no choice of them adds up"),
    "one family has the cup": ({"rare_in": 1}, {}, "in a single group only: cup"),
    "no camera given": ({}, {"group_by": ("camera",)}, "40 without"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_divisions_are_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    data, options, reason = REFUSED[case]
    root = make_families(tmp_path / "data", **data)
    with pytest.raises(InputDataError, match="cannot be divided") as error:
        split_up(root, tmp_path / "run", **options)
    assert reason in str(error.value.found) and error.value.exit_code == 3
    assert not (tmp_path / "run/data_transformation").exists()


def test_a_category_of_one_family_is_allowed_if_asked(tmp_path: Path) -> None:
    root, folder = make_families(tmp_path / "data", rare_in=1), tmp_path / "run"
    split_up(root, folder, all_categories=False)
    assert not households(folder, "train") & households(folder, "val")


def test_pictures_alone_are_divided_alike_in_every_category() -> None:
    """2,000 images, 20 categories from common to rare: shares within one image or 2 % of each."""
    rng = np.random.default_rng(0)
    shown = rng.random((2000, 20)) < np.geomspace(0.5, 0.005, 20)
    division = SplitProblem(np.ones(2000), csr_array(shown.astype(float)), rng.random(2000), 0.2, 0.01, both=True)
    val = divide(division)
    assert val is not None and abs(int(val.sum()) - 400) <= 20
    total, in_val = shown.sum(axis=0), shown[val].sum(axis=0)
    assert (np.abs(in_val - 0.2 * total) <= np.maximum(1.0, 0.02 * total)).all()


def test_no_worse_than_scikit_learn_on_groups_of_unequal_size() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(1)
    sizes = rng.integers(5, 60, 40)
    group = np.repeat(np.arange(40), sizes)
    kind = np.array(
        [rng.choice(6, p=p) for g, n in enumerate(sizes) for p in [rng.dirichlet(np.ones(6))] for _ in range(n)]
    )
    showing = np.zeros((40, 6))
    np.add.at(showing, (group, kind), 1)
    division = SplitProblem(sizes.astype(float), csr_array(showing), rng.random(40), 0.2, 0.05, both=True)
    val = divide(division)
    assert val is not None

    def badness(chosen: Any) -> float:
        counts = np.concatenate([[len(kind)], np.bincount(kind, minlength=6)])
        got = np.concatenate([[chosen.sum()], np.bincount(kind[chosen], minlength=6)])
        return float(np.abs(got / counts - 0.2).mean())

    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(kind, kind, group)
    theirs = min(badness(np.isin(np.arange(len(kind)), test)) for _, test in folds)
    assert badness(val[group]) <= theirs
