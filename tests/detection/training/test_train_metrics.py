"""The twelve figures against pycocotools, and what makes them special: crowds, empty categories, id 0."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.evaluation.coco_metrics import (
    METRICS,
    Results,
    coco_metrics,
    parse_results,
    to_results,
)
from visionllm_interaction.detection.evaluation.evaluate import evaluate_files
from visionllm_interaction.errors import AnnotationError


def test_figures_equal_pycocotools_on_cocos_example(shared_data: Path) -> None:
    folder = shared_data / "coco-eval"
    expected = json.loads((folder / "expected_pycocotools_stats_100.json").read_text())
    found = evaluate_files(folder / "sampled_gts_bbox_area.json", folder / "instances_val2014_fakebbox100_results.json")
    assert tuple(expected["names"]) == METRICS
    np.testing.assert_allclose([found[name] for name in METRICS], expected["stats"], atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_figures_and_categories_equal_pycocotools_with_crowds(shared_data: Path) -> None:
    pycocotools = pytest.importorskip("pycocotools.cocoeval")
    from pycocotools.coco import COCO

    truth = json.loads((shared_data / "coco-mini/annotations/instances_val2017.json").read_text())
    assert any(a["iscrowd"] for a in truth["annotations"])
    results = jittered(truth)
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = json.loads(json.dumps(truth))
        gt.createIndex()
        reference = pycocotools.COCOeval(gt, gt.loadRes(json.loads(json.dumps(results))), "bbox")
        for step in (reference.evaluate, reference.accumulate, reference.summarize):
            step()
    found = coco_metrics(truth, rows(*results))
    np.testing.assert_allclose([found[name] for name in METRICS], reference.stats, atol=1e-6)
    precision = reference.eval["precision"][:, :, :, 0, -1]
    for number, category in enumerate(truth["categories"]):
        mine = precision[:, :, number]
        expected = mine[mine > -1].mean() if (mine > -1).any() else -1
        assert found["per_category"][category["name"]]["AP"] == pytest.approx(expected, abs=1e-6)


def rows(*results: dict[str, Any]) -> Results:
    return parse_results(json.dumps(results).encode(), where="test")


def jittered(truth: dict[str, Any]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    rows = []
    for a in truth["annotations"]:
        box = (np.array(a["bbox"]) + rng.normal(0, 4, 4)).clip(0.5).tolist()
        wrong = rng.random() < 0.1
        category = truth["categories"][int(rng.integers(80))]["id"] if wrong else a["category_id"]
        row = {"image_id": a["image_id"], "category_id": category, "bbox": box, "score": float(rng.random())}
        rows += [row] * (1 + int(rng.random() < 0.3))
    return [dict(row) for row in rows]


def truth(**changes: Any) -> dict[str, Any]:
    box = {"image_id": 1, "category_id": 5, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0, **changes}
    return {
        "images": [{"id": 1, "width": 100, "height": 100, "file_name": "a.jpg"}],
        "annotations": [{"id": 0, **box}],
        "categories": [{"id": 5, "name": "cup"}, {"id": 6, "name": "ball"}],
    }


def hit(**changes: Any) -> dict[str, Any]:
    return {"image_id": 1, "category_id": 5, "bbox": [10, 10, 40, 40], "score": 0.9, **changes}


def test_a_perfect_detection_scores_one_even_with_annotation_id_zero() -> None:
    metrics = coco_metrics(truth(), rows(hit()))
    assert [metrics[k] for k in ("AP", "AP50", "AR1", "APm")] == pytest.approx([1.0, 1.0, 1.0, 1.0])
    assert metrics["APs"] == metrics["APl"] == -1.0  # nothing of that size to find
    assert metrics["per_category"]["cup"] == pytest.approx({"AP": 1.0, "AP50": 1.0})
    assert metrics["per_category"]["ball"] == {"AP": -1.0, "AP50": -1.0}


def test_a_looser_box_loses_the_strict_thresholds_only() -> None:
    metrics = coco_metrics(truth(), rows(hit(bbox=[10, 10, 40, 30])))  # IoU 0.75
    assert (metrics["AP50"], metrics["AP75"]) == pytest.approx((1.0, 1.0))
    assert metrics["AP"] == pytest.approx(0.6)  # 0.50 … 0.75 of ten thresholds


def test_detections_on_a_crowd_are_neither_right_nor_wrong() -> None:
    both = truth()
    both["annotations"].append({**both["annotations"][0], "id": 7, "bbox": [50, 50, 50, 50], "iscrowd": 1})
    metrics = coco_metrics(both, rows(hit(score=0.5), hit(bbox=[55, 55, 20, 20], score=0.9)))
    assert metrics["AP"] == pytest.approx(1.0)


def test_nothing_detected_is_zero() -> None:
    assert coco_metrics(truth(), rows())["AP"] == 0.0


def test_inputs_are_not_changed() -> None:
    ground, results = truth(), rows(hit())
    coco_metrics(ground, results)
    assert ground == truth() and (results.boxes_xywh == rows(hit()).boxes_xywh).all()


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="1 unknown"):
        coco_metrics(truth(), rows(hit(image_id=2)))
    with pytest.raises(AnnotationError, match="1 unknown"):
        coco_metrics(truth(), rows(hit(category_id=9)))
    with pytest.raises(AnnotationError, match=r"category_id.*\[1\]"):
        rows(hit(), {"image_id": 1})
    (tmp_path / "truth.json").write_text(json.dumps(truth()))
    (tmp_path / "found.json").write_text('{"a": 1}')
    with pytest.raises(AnnotationError, match="results file"):
        evaluate_files(tmp_path / "truth.json", tmp_path / "found.json")


def test_detections_become_coco_results() -> None:
    categories = Categories.from_pairs([(90, "child"), (3, "ball")])
    found = Detections(np.array([[1, 2, 11, 22]]), np.array([0.5]), np.array([2]))
    ids = {category.label: category.category_id for category in categories}
    results = to_results(4, found, category_ids=ids)
    assert (results.image_ids.tolist(), results.category_ids.tolist()) == ([4], [90])
    assert (results.boxes_xywh.tolist(), results.scores.tolist()) == ([[1, 2, 10, 20]], [0.5])
    assert len(to_results(4, Detections.empty(), category_ids=ids)) == 0
    assert len(to_results(4, found, category_ids={1: 3})) == 0  # a category that is not evaluated
