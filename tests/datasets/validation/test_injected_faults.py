"""Each fault type, alone and in random pairs, into clean data: the right code and id; and nothing in clean data."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from injectors import INJECTORS, WHOLE_FILE, Expected, Injector, World

from visionllm_bench.toyroom import make_toyroom
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.manifest_input import SplitSource
from visionllm_interaction.datasets.validation.stage import examine

PAIRS = 200
IMAGES = 12
# Needs a broken manifest (tested with the stage) or a decoder that dies (tested with the child processes).
ELSEWHERE = {"MANIFEST-KEY-MISSING", "FILE-KILLS-DECODER", "BOX-KIND-UNCLEAR"}


@pytest.fixture(scope="session")
def toyroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bases") / "toyroom"
    make_toyroom(root, images=24, videos=0, seed=5)
    return root


@pytest.fixture(scope="session")
def coco(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Images of COCO with objects large enough to be damaged in every way, and no fault of their own."""
    root = tmp_path_factory.mktemp("bases") / "coco"
    for split in ("train", "val"):
        part_of_coco(shared_data / "coco-mini", root, split)
    return root


def part_of_coco(source: Path, root: Path, split: str) -> None:
    name = f"annotations/instances_{split}2017.json"
    content = json.loads((source / name).read_text())
    by_image: dict[int, list[dict[str, object]]] = {}
    for annotation in content["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    good = [i for i in content["images"] if len(by_image.get(i["id"], [])) in range(2, 9) and i["width"] != i["height"]]
    content["images"] = good[:IMAGES]
    content["annotations"] = [a for image in content["images"] for a in by_image[image["id"]] if not a["iscrowd"]]
    (root / f"{split}2017").mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    for image in content["images"]:
        shutil.copy(source / f"{split}2017" / image["file_name"], root / f"{split}2017")
    (root / name).write_text(json.dumps(content))


def faults_of(world: World) -> list[Issue]:
    world.save()
    sources = {
        split: SplitSource(
            world.root / f"{split}2017", None if split in world.missing else world.annotation_file(split)
        )
        for split in ("train", "val")
    }
    known = [
        Issue("SPLIT-MISSING", split, "file", "nothing", "an annotation file", field="annotations")
        for split in sorted(world.missing)
    ]
    config = ValidateConfig(workers=1, category_presence_min_images=world.min_images)
    return list(examine(config, sources, known, indexed=world.indexed).issues)


def reported(issues: list[Issue], expected: Expected) -> bool:
    code, split, subject = expected
    return any(
        f.code == code
        and (split is None or f.split == split)
        and (
            subject is None or subject in (f.subject, f.image_id, f.annotation_id, f.category_id, f.file_name, f.field)
        )
        for f in issues
    )


@pytest.mark.parametrize("base", ["toyroom", "coco"])
def test_clean_data_has_no_fault(base: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    world = World.copy(request.getfixturevalue(base), tmp_path / "world", seed=0)
    assert [(f.code, f.found) for f in faults_of(world)] == []


ALL: dict[str, Injector] = {name: function for name, (_, function) in INJECTORS.items()} | WHOLE_FILE


@pytest.mark.parametrize("name", ALL)
def test_each_fault_alone_in_the_play_room(name: str, toyroom: Path, tmp_path: Path) -> None:
    world = World.copy(toyroom, tmp_path / "world", seed=len(name))
    expected = ALL[name](world)
    issues = faults_of(world)
    assert reported(issues, expected), (
        f"{expected} is not among {sorted({(f.code, f.subject) for f in issues}, key=str)}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_each_fault_alone_in_coco(name: str, coco: Path, tmp_path: Path) -> None:
    world = World.copy(coco, tmp_path / "world", seed=len(name))
    expected = ALL[name](world)
    assert reported(faults_of(world), expected)


def test_every_code_has_an_injector(toyroom: Path, tmp_path: Path) -> None:
    codes = {ALL[name](World.copy(toyroom, tmp_path / name, seed=1))[0] for name in ALL}
    assert codes | ELSEWHERE == set(CATALOGUE)


def pairs(base: Path, folder: Path) -> Iterator[tuple[str, bool, bool]]:
    """200 random pairs: (injector, whether it is structural, whether it was found)."""
    chooser = random.Random(0)
    for number in range(PAIRS):
        names = chooser.sample(sorted(INJECTORS), 2)
        world = World.copy(base, folder / "world", seed=number)
        expected = [INJECTORS[name][1](world) for name in names]
        issues = faults_of(world)
        for name, wanted in zip(names, expected, strict=True):
            yield name, INJECTORS[name][0], reported(issues, wanted)
        shutil.rmtree(folder / "world")


@pytest.mark.slow
@pytest.mark.parametrize("base", ["toyroom", "coco"])
def test_pairs_of_faults(base: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    results = list(pairs(request.getfixturevalue(base), tmp_path))
    missed = Counter((name, structural) for name, structural, found in results if not found)
    assert not [name for name, structural in missed if structural], missed
    assert sum(missed.values()) <= 0.02 * len(results), missed


@pytest.mark.slow
def test_no_false_alarm_in_50_clean_play_rooms(tmp_path: Path) -> None:
    alarms: Counter[str] = Counter()
    for seed in range(50):
        make_toyroom(tmp_path / str(seed), images=20, videos=0, seed=1000 + seed)
        world = World.copy(tmp_path / str(seed), tmp_path / "world", seed=0)
        alarms.update(issue.code for issue in faults_of(world))
        shutil.rmtree(tmp_path / "world")
        shutil.rmtree(tmp_path / str(seed))
    assert alarms == {}
