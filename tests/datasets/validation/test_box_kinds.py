"""Small sets of boxes of another kind: refused where masks or areas tell, a warning where they are as plausible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_coco import make_coco, read, write

from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run as ingest
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.stage import run

TRUTH = ((2.0, 3.0, 11.0, 9.0), (4.0, 5.0, 8.0, 10.0), (1.0, 8.0, 12.0, 7.0), (6.0, 2.0, 9.0, 14.0))
"""Small boxes at the top left, xywh: as corners they fit into 64 × 48 too."""
FAR = ((30.0, 20.0, 11.0, 9.0), (40.0, 25.0, 8.0, 10.0), (25.0, 28.0, 12.0, 7.0))
AT_EDGES = ((0.0, 20.0, 20.0, 10.0), (44.0, 12.0, 20.0, 8.0), (30.0, 0.0, 10.0, 16.0), (20.0, 30.0, 10.0, 18.0))
TO: dict[str, Any] = {
    "xywh": lambda x, y, w, h: [x, y, w, h],
    "xyxy": lambda x, y, w, h: [x, y, x + w, y + h],
    "centre": lambda x, y, w, h: [x + w / 2, y + h / 2, w, h],
}


def found(folder: Path, boxes: Any, kind: str, *, area: str = "", mask: bool = False) -> dict[str, str]:
    """Issue code → action, of a train split with these boxes, all of another kind than COCO's or not."""
    root = make_coco(folder / "data")
    content = read(root, "train")
    images = [image for image in content["images"] if (image["width"], image["height"]) == (64, 48)]
    records = []
    for n, box in enumerate(boxes):
        x, y, w, h = box
        written = TO[kind](*box)
        record = {"id": n + 1, "image_id": images[n % len(images)]["id"], "category_id": 3, "bbox": written}
        record |= {"area": {"true": w * h, "naive": written[2] * written[3]}[area]} if area else {}
        record |= {"segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]]} if mask else {}
        records.append(record)
    content["annotations"] = records
    write(root, "train", content)
    ingest(IngestConfig(root=root), out=folder / "run/data_ingestion")
    config = ValidateConfig.model_validate({"actions": {"CAT-ABSENT": "warn"}})
    manifest = folder / "run/data_ingestion/data_manifest.yaml"
    report = run(config, data_manifest=manifest, out=folder / "run/data_validation")
    return {f.code: f.action for f in report.findings if f.code.startswith(("BOX-LOOKS", "BOX-KIND"))}


@pytest.mark.parametrize("count", [3, 4])
def test_a_few_corners_without_mask_and_area_are_a_warning(tmp_path: Path, count: int) -> None:
    assert found(tmp_path, TRUTH[:count], "xyxy") == {"BOX-KIND-UNCLEAR": "warn"}


@pytest.mark.parametrize("known", [{"area": "true"}, {"mask": True}])
@pytest.mark.parametrize("kind", ["xyxy", "xywh"])
def test_three_masks_or_areas_that_agree_are_enough(tmp_path: Path, known: Any, kind: str) -> None:
    expected = {"BOX-LOOKS-XYXY": "error"} if kind == "xyxy" else {}
    assert found(tmp_path, TRUTH[:3], kind, **known) == expected


def test_three_masks_tell_that_the_centre_is_meant(tmp_path: Path) -> None:
    assert found(tmp_path, FAR, "centre", mask=True) == {"BOX-LOOKS-OTHER": "error"}


def test_sides_on_the_edges_of_the_images_make_centres_a_warning(tmp_path: Path) -> None:
    assert found(tmp_path / "a", AT_EDGES, "centre") == {"BOX-KIND-UNCLEAR": "warn"}
    assert found(tmp_path / "b", AT_EDGES, "xywh") == {}


def test_centres_of_a_few_boxes_that_reach_out_are_a_warning(tmp_path: Path) -> None:
    """Too few for a verdict by the limits of the images; one reaches far out, and as its centre none does."""
    far_out = (*FAR, (40.0, 20.0, 20.0, 20.0))
    assert found(tmp_path / "a", far_out, "centre") == {"BOX-KIND-UNCLEAR": "warn"}
    assert found(tmp_path / "b", far_out, "xywh") == {}
    assert found(tmp_path / "c", far_out, "xywh", area="true") == {}
    assert found(tmp_path / "d", ((0.0, 0.0, 12.0, 9.0), *FAR, (58.0, 20.0, 20.0, 9.0)), "xywh") == {}, "one slip"


def test_plain_boxes_are_no_warning(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for count in (1, 2, 3, 9, 30):
        sides = chance.uniform(4, 20, (count, 2))
        boxes = np.c_[chance.uniform(0, 1, (count, 2)) * ([64, 48] - sides), sides]
        boxes[0] = 40, 30, 8, 8  # one that is no box of corners: as most are not
        assert found(tmp_path / str(count), boxes.tolist(), "xywh") == {}
