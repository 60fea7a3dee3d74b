"""Images to annotate next, from folders, videos, stores and a data set's own folder."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from label_pool import BOX, WrittenDetector, write_image, write_manifest
from moving_scene import publish_scene, scene_table, write_scene_video
from PIL import Image

from visionllm_interaction.datasets.ingestion.config import GroupsConfig
from visionllm_interaction.datasets.ingestion.formats.common import DetectedDataset
from visionllm_interaction.datasets.ingestion.formats.cvat import read_cvat
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import group_lookup
from visionllm_interaction.errors import ConsentMissing, InputDataError
from visionllm_interaction.labelling.config import LabelConfig
from visionllm_interaction.labelling.suggest import suggest_images
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.data_protection.register import record_consent
from visionllm_interaction.utils.hashing import sha256_file

pytestmark = pytest.mark.usefixtures("written")
PLAIN = LabelConfig.model_validate({"images": 2, "diversity": 0.0, "rarity": 0.0, "max_group_share": 1.0})


def test_the_least_sure_images_are_suggested_with_reasons_and_tasks(tmp_path: Path) -> None:
    for name, confidence in (("sure", 0.97), ("half", 0.5), ("low", 0.3), ("none", 0.0)):
        write_image(tmp_path / "pool" / f"{name}.png", "cup", confidence, seed=len(name))
    found = suggest_images(tmp_path / "pool", tmp_path / "round1", detector="any", config=PLAIN)
    assert [one.image for one in found.suggestions] == ["half.png", "low.png"]
    assert found.pool == 4
    assert "unsure what it sees (cup? 0.50), more than in 75% of the images" in found.suggestions[0].reason
    for one in found.suggestions:
        image = tmp_path / "round1" / "images" / one.image
        assert image.read_bytes() == (tmp_path / "pool" / one.image).read_bytes()
        assert one.sha256 == sha256_file(image)
    with (tmp_path / "round1" / "suggestions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["image"] for row in rows] == ["half.png", "low.png"]
    assert float(rows[0]["uncertainty"]) == pytest.approx(1.0)
    assert rows[0]["reason"]


def test_boxes_are_drawn_for_cvat_and_for_label_studio(tmp_path: Path) -> None:
    write_image(tmp_path / "pool" / "half.png", "cup", 0.5)
    write_image(tmp_path / "pool" / "weak.png", "ball", 0.2, seed=1)
    out = tmp_path / "round1"
    suggest_images(tmp_path / "pool", out, detector="any", config=PLAIN)
    read = read_cvat(DetectedDataset("cvat", out / "images", (out / "cvat" / "annotations.xml",)))
    boxes = {image.name: [(shape.label, shape.bbox_xywh) for shape in image.shapes] for image in read.images}
    x1, y1, x2, y2 = BOX
    assert boxes == {"half.png": [("cup", (x1, y1, x2 - x1, y2 - y1))], "weak.png": []}
    assert read.labels == WrittenDetector.categories.names
    tasks = json.loads((out / "labelstudio" / "tasks.json").read_text())
    assert [task["data"]["image"] for task in tasks] == [
        f"/data/local-files/?d=round1/images/{name}" for name in ("half.png", "weak.png")
    ]
    (region,) = tasks[0]["predictions"][0]["result"]
    value = region["value"]
    assert (value["x"] * 0.64, value["y"] * 0.48, value["width"] * 0.64) == pytest.approx((x1, y1, x2 - x1))
    assert value["rectanglelabels"] == ["cup"]
    assert tasks[1]["predictions"][0]["result"] == []
    assert '<Label value="zebra"/>' in (out / "labelstudio" / "labeling_config.xml").read_text()


def test_what_is_annotated_or_held_out_is_never_suggested(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    pool = tmp_path / "pool"
    pool.mkdir()
    shutil.copy(tmp_path / "coco" / "train2017" / "train_0000.jpg", pool / "again.jpg")
    shutil.copy(tmp_path / "coco" / "val2017" / "val_0001.jpg", pool / "held-out.jpg")
    # The name of an annotated image, but another image: it must not take that one's place.
    other = write_image(tmp_path / "other.png", "cup", 0.5)
    shutil.copy(other, pool / "train_0001.jpg")
    found = suggest_images(pool, tmp_path / "round1", detector="any", data=manifest, config=PLAIN)
    assert [one.image for one in found.suggestions] == [f"{sha256_file(other)[:8]}__train_0001.jpg"]
    assert (found.left_out.annotated, found.left_out.held_out) == (1, 1)
    assert found.note == "the pool has 1 images, 2 were asked for"


def test_a_child_of_the_held_out_images_is_never_suggested(tmp_path: Path) -> None:
    pattern = "(?P<child>(?:train|val)_000[0-9]|c[0-9])"
    manifest = write_manifest(tmp_path, f"data.groups.pattern={pattern}")
    # val_0001 is in val; the pool has an image of the same child, and one of another.
    write_image(tmp_path / "pool" / "val_0001-later.png", "cup", 0.5)
    write_image(tmp_path / "pool" / "c7.png", "cup", 0.5, seed=1)
    lookup = group_lookup(GroupsConfig(pattern=pattern))
    found = suggest_images(
        tmp_path / "pool", tmp_path / "round1", detector="any", data=manifest, config=PLAIN, groups_of=lookup
    )
    assert [(one.image, one.group) for one in found.suggestions] == [("c7.png", "child c7")]
    assert found.left_out.held_out == 1


def test_rarely_annotated_categories_come_first_and_foreign_ones_last(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)  # as many balls as cups, no zebra among the categories
    for n, label in enumerate(("ball", "zebra", "cup")):
        write_image(tmp_path / "pool" / f"{label}.png", label, 0.5, seed=n)
    config = PLAIN.model_copy(update={"images": 3})
    found = suggest_images(tmp_path / "pool", tmp_path / "r", detector="any", data=manifest, config=config)
    assert found.suggestions[-1].image == "zebra.png"
    assert found.suggestions[-1].values["uncertainty"] == 0.0
    assert "zebra" not in (tmp_path / "r" / "cvat" / "annotations.xml").read_text().replace("zebra.png", "")


def test_one_group_gives_no_more_than_its_share(tmp_path: Path) -> None:
    for n in range(6):
        write_image(tmp_path / "pool" / "a" / f"{n}.png", "cup", 0.5, seed=n)
    write_image(tmp_path / "pool" / "b" / "0.png", "cup", 0.9, seed=9)
    lookup = group_lookup(GroupsConfig(pattern="(?P<child>[ab])/"))
    config = PLAIN.model_copy(update={"images": 4, "max_group_share": 0.5})
    found = suggest_images(tmp_path / "pool", tmp_path / "r", detector="any", config=config, groups_of=lookup)
    assert found.groups == {"child a": 2, "child b": 1}
    assert found.note is not None
    assert "raise label.max_group_share" in found.note
    assert (tmp_path / "r" / "images" / "b__0.png").is_file()


def test_frames_of_videos_are_suggested_at_their_times(tmp_path: Path) -> None:
    video = tmp_path / "pool" / "visit.mp4"
    video.parent.mkdir()
    write_scene_video(video)
    config = PLAIN.model_copy(update={"images": 3, "every_s": 0.5})
    found = suggest_images(tmp_path / "pool", tmp_path / "r", detector="any", config=config)
    assert len(found.suggestions) == 3
    for one in found.suggestions:
        assert one.image == f"visit-{sha256_file(video)[:8]}__frame_{one.frame_index:06d}.jpg"
        assert one.group == f"session visit-{sha256_file(video)[:8]}"
        with Image.open(tmp_path / "r" / "images" / one.image) as image:
            assert image.format == "JPEG"
    times = sorted(one.timestamp_s for one in found.suggestions if one.timestamp_s is not None)
    assert all(later - earlier >= 0.5 - 1e-3 for earlier, later in itertools.pairwise(times))


def test_frames_of_a_store_count_boxes_that_the_tracker_expects(tmp_path: Path) -> None:
    source = write_scene_video(tmp_path / "visit.mp4")
    source = source.model_copy(update={"sha256": sha256_file(tmp_path / "visit.mp4")})
    table = scene_table()
    expected = np.isin(table.frame_index, [80, 81]) & (table.category == "ball")
    publish_scene(tmp_path / "store", table=table.replace(interpolated=expected), source=source)
    config = LabelConfig.model_validate(
        {"images": 2, "every_s": 0.1, "diversity": 0, "weights": {"uncertainty": 0, "disagreement": 0, "missed": 1}}
    )
    found = suggest_images(tmp_path / "store", tmp_path / "r", detector="any", config=config)
    assert sorted(one.frame_index or 0 for one in found.suggestions) == [80, 81]
    assert [one.values["missed"] for one in found.suggestions] == [1.0, 1.0]
    assert "lacks boxes that the tracker expects, more than in 99% of the images" in found.suggestions[0].reason
    assert (tmp_path / "r" / "images" / found.suggestions[0].image).is_file()


def test_videos_of_one_child_are_one_group(tmp_path: Path) -> None:
    source = write_scene_video(tmp_path / "visit.mp4")
    source = source.model_copy(update={"sha256": sha256_file(tmp_path / "visit.mp4")})
    for name in ("a", "b"):
        publish_scene(tmp_path / "store", name, source=source)
        write_covariates(tmp_path / "store", name, {"child": "c07"})
    config = PLAIN.model_copy(update={"every_s": 5.0})
    found = suggest_images(tmp_path / "store", tmp_path / "r", detector="any", config=config)
    assert found.groups == {"child c07": 2}
    assert found.pool == 8


def test_frames_of_videos_without_consent_are_not_handed_out(tmp_path: Path) -> None:
    source = write_scene_video(tmp_path / "visit.mp4")
    source = source.model_copy(update={"sha256": sha256_file(tmp_path / "visit.mp4")})
    for name in ("a", "b"):
        publish_scene(tmp_path / "store", name, source=source)
    config = PLAIN.model_copy(update={"every_s": 5.0})
    record_consent(tmp_path / "store", "video", "a", "withdrawn", who="Kari")
    found = suggest_images(tmp_path / "store", tmp_path / "r", detector="any", config=config)
    assert set(found.groups) == {"session b"}
    assert (found.pool, found.to_dict()["left_out"]["videos_without_consent"]) == (4, 1)
    record_consent(tmp_path / "store", "video", "b", "withdrawn", who="Kari")
    with pytest.raises(ConsentMissing):
        suggest_images(tmp_path / "store", tmp_path / "none", detector="any", config=config)
    assert not (tmp_path / "none").exists()


def test_images_of_train_that_nobody_annotated_are_suggested_by_the_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path / "unused")
    root = tmp_path / "coco"
    shutil.copytree(tmp_path / "unused" / "coco", root)
    write_image(root / "train2017" / "more" / "new.png", "cup", 0.5)
    manifest = write_manifest(tmp_path)
    found = suggest_images(manifest, tmp_path / "r", detector="any", data=manifest, config=PLAIN)
    assert [one.image for one in found.suggestions] == ["more__new.png"]


def test_nothing_to_choose_from_is_an_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    with pytest.raises(InputDataError, match="no images to choose from"):
        suggest_images(tmp_path / "nowhere", tmp_path / "r", detector="any", config=PLAIN)
    with pytest.raises(InputDataError, match="annotated or held out"):
        suggest_images(tmp_path / "coco" / "val2017", tmp_path / "r", detector="any", data=manifest, config=PLAIN)
    with pytest.raises(InputDataError, match="manifest of its run"):
        suggest_images(tmp_path, tmp_path / "r", detector="any", data=tmp_path / "x.yaml", config=PLAIN)
    assert not (tmp_path / "r").exists()
