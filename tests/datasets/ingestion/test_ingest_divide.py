"""Own data without splits: groups stay whole, rare categories are in both sides where they can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported_data import image, names, objects, take_in, write
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.datasets.ingestion.config import GroupsConfig
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import grouping
from visionllm_interaction.datasets.ingestion.propose_settings import propose
from visionllm_interaction.datasets.ingestion.train_val_division import Division, SplitCandidate, val_names
from visionllm_interaction.errors import InputDataError, UsageError


def child(name: str) -> str:
    return name.split("_")[0]


@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=12),
    share=st.floats(0.1, 0.5),
    held=st.sets(st.integers(0, 11)),
)
@settings(max_examples=60, deadline=None)
def test_groups_stay_whole_and_val_is_near_its_share(sizes: list[int], share: float, held: set[int]) -> None:
    members = [
        SplitCandidate(f"c{at}_{n}.jpg", frozenset({"ball", "cup"} if at in held else {"ball"}))
        for at, size in enumerate(sizes)
        for n in range(size)
    ]
    val = val_names(members, Division(share, child))
    sides = {
        child(member.name): {m.name in val for m in members if child(m.name) == child(member.name)}
        for member in members
    }
    assert all(len(found) == 1 for found in sides.values()), "no group is in both"
    assert 0 < len(val) < len(members)
    assert val == val_names(list(reversed(members)), Division(share, child)), "the order does not matter"


def test_a_category_of_two_groups_is_in_both_sides() -> None:
    members = [
        SplitCandidate(f"c{at}_{n}.jpg", frozenset({"cup"} if at in (3, 7) else {"ball"}))
        for at in range(10)
        for n in range(4)
    ]
    val = val_names(members, Division(0.2, child))
    assert {child(name) for name in val} & {"c3", "c7"} and not {"c3", "c7"} <= {child(name) for name in val}


def test_images_without_a_group_are_groups_of_their_own() -> None:
    group_of = grouping(GroupsConfig(pattern=r"(?P<child>kid\d+)"))
    assert group_of is not None
    assert (group_of("kid1_a.jpg"), group_of("other.jpg")) == ("child kid1", None)
    members = [SplitCandidate(f"{name}.jpg", frozenset()) for name in ("kid1_a", "kid1_b", "x", "y")]
    val = val_names(members, Division(0.5, group_of))
    assert len(val) == 2 and ({"kid1_a.jpg", "kid1_b.jpg"} <= val or not {"kid1_a.jpg", "kid1_b.jpg"} & val)


def test_the_household_outranks_the_child(tmp_path: Path) -> None:
    table = write(tmp_path / "groups.csv", "file_name,child,household\na.jpg,1,h1\nb.jpg,2,h1\nc.jpg,3,\n")
    group_of = grouping(GroupsConfig(table=table))
    assert group_of is not None
    assert [group_of(f"{name}.jpg") for name in "abcd"] == ["household h1", "household h1", "child 3", None]


def yolo(root: Path, files: list[str], *, rare: str = "") -> Path:
    for name in files:
        image(root / f"images/{name}.jpg")
        write(root / f"labels/{name}.txt", f"{int(name == rare)} 0.5 0.5 0.2 0.4\n")
    write(root / "classes.txt", "ball\ncup\n")
    return root


NAMED = {
    "child": ([f"child{c:02d}_v1_{n:03d}" for c in range(5) for n in range(4)], r"child\d\d"),
    "sub-": ([f"sub-{c}_ses-{s}_{n}" for c in range(5) for s in range(2) for n in range(2)], r"sub-\d"),
    "homes": ([f"home{c}/{n:04d}" for c in range(5) for n in range(4)], r"home\d"),
    "folders": ([f"{c}/{n:04d}" for c in ("ada", "bob", "cyd") for n in range(4)], r"(ada|bob|cyd)"),
    "beginnings": ([f"{c}_{n:04d}" for c in ("ada", "bob", "cyd") for n in range(4)], r"(ada|bob|cyd)"),
}


@pytest.mark.parametrize(("files", "group"), NAMED.values(), ids=NAMED)
def test_init_finds_groups_in_names(tmp_path: Path, files: list[str], group: str) -> None:
    import re

    chosen = {setting.key[1:]: setting.value for setting in propose(yolo(tmp_path / "d", files)).settings}
    pattern = chosen["groups", "pattern"]
    found = names(take_in(tmp_path / "d", val_share=chosen["val_share",], groups={"pattern": pattern}))
    sides = [{re.search(group, name)[0] for name in found[split]} for split in ("train", "val")]  # type: ignore[index]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_init_says_what_is_rare_turned_and_not_divided(tmp_path: Path) -> None:
    files = [f"{n:06d}" for n in range(20)]
    image(yolo(tmp_path / "d", files, rare="000003") / "images/000007.jpg", orientation=6)
    proposal = propose(tmp_path / "d")
    chosen = {".".join(setting.key): setting for setting in proposal.settings}
    assert proposal.found == "YOLO: 20 images (16 train, 4 val)"
    assert chosen["data.root"].value == str(tmp_path / "d") and "data.groups.pattern" not in chosen
    assert "cup (not in val)" in chosen["validation.actions.CAT-ABSENT"].why
    assert chosen["validation.actions.IMG-EXIF-ROTATED"].value == "repair"


def test_init_writes_files_that_stages_1_to_3_take(tmp_path: Path) -> None:
    from visionllm_interaction.config import load
    from visionllm_interaction.config_init import write_config_files
    from visionllm_interaction.pipeline import run_pipeline

    files = [f"child{c}_{n:03d}" for c in range(5) for n in range(12)]
    root = yolo(tmp_path / "d", files, rare=files[3])
    for at, name in enumerate(files):
        image(root / f"images/{name}.jpg", 60 + at, 50, orientation=6 if at == 5 else None)
    written = write_config_files(tmp_path / "w", data=root).written
    paths = [path for path in written if path.stem in ("data", "schema")]
    assert all("# init: " in path.read_text(encoding="utf-8") for path in paths) and len(paths) == 2
    places = [f"artifacts_dir={tmp_path / 'a'}", f"data.work_dir={tmp_path / 'work'}", "validation.workers=1"]
    result = run_pipeline(load(paths, places), until="transform")
    assert result.stage("transform").status == "done"
    with pytest.raises(UsageError, match="already exists"):
        write_config_files(tmp_path / "w", data=root)


def test_init_names_what_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "d/train.tfrecord", "x")
    with pytest.raises(InputDataError, match="TFRecord"):
        propose(tmp_path / "d")


def test_coco_with_a_train_split_only_is_divided_too(tmp_path: Path) -> None:
    import json

    for n in range(5):
        image(tmp_path / f"d/train2017/{n}.jpg")
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 100} for n in range(5)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [n, 1, 5, 5], "area": 25, "iscrowd": 0} for n in range(5)
        ],
        "categories": [{"id": 1, "name": "cup"}],
    }
    write(tmp_path / "d/annotations/instances_train2017.json", json.dumps(content))
    manifest = take_in(tmp_path / "d", val_share=0.4)
    assert names(manifest) == {"train": ["0.jpg", "1.jpg", "2.jpg"], "val": ["3.jpg", "4.jpg"]}
    assert len(objects(manifest)) == 5
