"""Formats that are known and not read are named, with the way out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exported_data import image, take_in, write

from visionllm_interaction.errors import InputDataError

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
    "Ultralytics": (
        "d.ndjson",
        '{"type": "dataset", "task": "detect", "class_names": {"0": "cup"}}\n{"type": "image", "file": "a.jpg"}\n',
        "Ultralytics' NDJSON",
    ),
    "Darwin 2": ("annotations/a.json", {"item": {"name": "a.jpg", "slots": []}, "annotations": []}, "V7's Darwin"),
    "Scale": ("tasks.json", [{"task_id": "1", "params": {}, "response": {"annotations": []}}], "Scale AI"),
    "FiftyOne": (
        "labels.json",
        {"classes": ["cup"], "labels": {"a": [{"label": 0, "bounding_box": [0.1, 0.1, 0.2, 0.2]}]}},
        "FiftyOne",
    ),
    "FiftyOne's own": ("samples.json", {"samples": [{"filepath": "data/a.jpg"}]}, "FiftyOne"),
    "CrowdHuman": ("annotation_train.odgt", '{"ID": "a", "gtboxes": []}\n', "CrowdHuman"),
    "Hasty": ("x.json", {"export_format_version": "1.1", "label_classes": [], "images": [{"labels": []}]}, "Hasty"),
    "Encord": ("x.json", [{"label_hash": "h", "data_units": {}}], "Encord"),
    "SuperAnnotate": ("a.jpg.json", {"instances": [{"type": "bbox", "className": "cup"}]}, "SuperAnnotate"),
    "Dataloop": (
        "json/a.json",
        {"datasetId": "2", "annotations": [{"label": "cup", "coordinates": [{"x": 1, "y": 1}]}]},
        "Dataloop",
    ),
    "Kili": ("data.json", [{"externalId": "a.jpg", "labels": [{"jsonResponse": {}}]}], "Kili"),
    "EPIC-KITCHENS": (
        "labels.csv",
        'noun_class,noun,video_id,frame,bounding_boxes\n20,bag,P01_01,56581,"[(76, 1260, 462, 186)]"\n',
        "EPIC-KITCHENS",
    ),
    "VISOR": ("P01_01.json", {"info": {}, "video_annotations": [{"image": {}, "annotations": []}]}, "VISOR"),
    "100DOH": ("trainval.json", {"v/a.jpg": [{"x1": 0.1, "hand_side": "r", "contact_state": 3}]}, "100DOH"),
    "Ego4D": ("fho_main.json", {"videos": [{"video_uid": "u"}]}, "Ego4D"),
    "YouTube-VIS": (
        "instances.json",
        {"videos": [{"id": 1, "file_names": ["v/a.jpg"]}], "annotations": [], "categories": []},
        "YouTube-VIS",
    ),
    "detectron2": (
        "x.json",
        [{"file_name": "a.jpg", "annotations": [{"bbox": [1, 1, 21, 31], "bbox_mode": 0}]}],
        "detectron2",
    ),
    "COCO's results": (
        "results.json",
        [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 20, 30], "score": 0.9}],
        "COCO's results",
    ),
    "Make Sense": ("labels.csv", "cup,1,1,20,30,a.jpg,200,100\n", "Make Sense"),
    "Vertex AI": ("x.csv", "TRAIN,gs://b/a.jpg,cup,0.1,0.1,,,0.3,0.4,,\n", "Vertex AI"),
    "RetinaNet": ("annotations.csv", "a.jpg,1,1,21,31,cup\n", "RetinaNet"),
    "VoTT's table": (
        "x.csv",
        '"image","xmin","ymin","xmax","ymax","label"\n"a.jpg",1,1,21,31,"cup"\n',
        "table of boxes",
    ),
    "GTSRB": (
        "GT.csv",
        "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\na.ppm;29;30;5;6;24;25;0\n",
        "table of boxes",
    ),
    "VisDrone": ("annotations/a.txt", "684,8,273,116,0,0,0,0\n", "VisDrone"),
    "DAVIS": ("Annotations/480p/bear/00000.png", "", "masks of pixels"),
    "any JSON of boxes": ("x.json", {"frames": [{"objects": [{"bbox": [1, 2, 3, 4]}]}]}, "JSON with boxes"),
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
