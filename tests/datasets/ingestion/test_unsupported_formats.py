"""Formats that are known and not read are named, with the way out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exported_data import image, take_in, write

from visionllm_interaction.errors import InputDataError

RECT = {"shape_attributes": {"name": "rect", "x": 1, "y": 1, "width": 9, "height": 9}, "region_attributes": {}}
FILES: dict[str, tuple[str, Any, str]] = {
    "CreateML": (
        "_annotations.createml.json",
        [
            {
                "image": "a.jpg",
                "annotations": [{"label": "ball", "coordinates": {"x": 4, "y": 2, "width": 4, "height": 3}}],
            }
        ],
        "CreateML",
    ),
    "VIA 2": (
        "via.json",
        {"_via_settings": {}, "_via_img_metadata": {"a": {"regions": [RECT]}}},
        "VGG Image Annotator",
    ),
    "VIA 2, regions": ("via.json", {"a.jpg1": {"filename": "a.jpg", "regions": [RECT]}}, "VGG Image Annotator"),
    "VIA 3": (
        "via.json",
        {"project": {"data_format_version": "3.1.1"}, "file": {"1": {"fid": 1, "fname": "a.jpg"}}, "metadata": {}},
        "VGG Image Annotator",
    ),
    "Supervisely": ("ds/ann/a.jpg.json", {"objects": [{"classTitle": "ball"}]}, "Supervisely"),
    "Datumaro": ("annotations/default.json", {"dm_format_version": "1.0", "items": []}, "Datumaro"),
    "VoTT": (
        "vott.json",
        {"assets": {"1": {"asset": {"name": "a.jpg"}, "regions": [{"boundingBox": {"left": 1}}]}}},
        "VoTT",
    ),
    "Labelbox": ("export.ndjson", {"data_row": {"external_id": "a.jpg"}, "projects": {}}, "Labelbox"),
    "SageMaker": ("output.manifest", {"source-ref": "s3://lab/a.jpg", "labels": {"annotations": []}}, "SageMaker"),
    "WIDER FACE": ("wider_face_train_bbx_gt.txt", "0--Parade/a.jpg\n1\n449 330 122 149 0 0 0 0 0 0\n", "WIDER FACE"),
    "KITTI": ("label_2/a.txt", "Car 0.00 0 -1.5 587 173 614 200 1.6 1.6 3.6 -0.6 1.7 46.7 -1.5\n", "KITTI"),
    "MOT": ("gt/gt.txt", "1,1,912,484,97,109,0,7,1\n", "MOT challenge"),
    "JSON-MIN": (
        "project.json",
        [{"image": "a.jpg", "id": 1, "label": [], "annotator": 1, "annotation_id": 1}],
        "JSON-MIN",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_known_format_is_named(tmp_path: Path, kind: str) -> None:
    file, content, named = FILES[kind]
    root = tmp_path / "data"
    image(root / "a.jpg")
    write(root / file, content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputDataError, match="format that is not read") as caught:
        take_in(root)
    assert named in str(caught.value).splitlines()[0]
    assert caught.value.fix
