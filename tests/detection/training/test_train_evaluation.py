"""Evaluation in depth: intervals that mean what they say, groups, comparison, the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.detection.evaluation.bootstrap import interval, matches_of, resample
from visionllm_interaction.detection.evaluation.coco_metrics import Results, coco_metrics, join_results, match
from visionllm_interaction.detection.evaluation.id_numbering import image_numbers
from visionllm_interaction.detection.evaluation.image_groups import find_groups
from visionllm_interaction.detection.evaluation.report import Subject, evaluate_in_depth, publish
from visionllm_interaction.errors import AnnotationError

NAMES = ("child", "cup", "ball")


def room(images: int = 24, *, noise: float = 3.0, seed: int = 0) -> tuple[dict[str, Any], Results]:
    """Annotations of six groups of images, and detections that are better in some groups than in others."""
    rng = np.random.default_rng(seed)
    truth: dict[str, Any] = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 150, "session": f"s{n % 6}"}
            for n in range(images)
        ],
        "categories": [{"id": 2 * k + 1, "name": name} for k, name in enumerate(NAMES)],
        "annotations": [],
    }
    rows = []
    for image in truth["images"]:
        for _ in range(int(rng.integers(1, 8))):
            box = [*rng.uniform(0, 120, 2).tolist(), *rng.uniform(20, 60, 2).tolist()]
            category = int(rng.choice([1, 3, 5]))
            crowd = int(rng.random() < 0.05)
            entry = {"id": len(truth["annotations"]) + 1, "image_id": image["id"], "category_id": category}
            truth["annotations"].append({**entry, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd})
            sloppy = noise * (1 + image["id"] % 6)
            if rng.random() < 0.9:
                seen = category if rng.random() < 0.85 else 3
                moved = (np.array(box) + rng.normal(0, sloppy, 4)).clip(1)
                rows.append([image["id"], *moved, rng.random(), seen])
        rows.append([image["id"], 5, 5, 30, 30, rng.random() / 2, 5])
    return truth, of_rows(np.array(rows))


def of_rows(rows: np.ndarray[Any, Any]) -> Results:
    ids, categories = rows[:, 0].astype(int).tolist(), rows[:, 6].astype(int).tolist()
    return Results.of(ids, rows[:, 1:5], rows[:, 5], categories)


def weighted(truth: dict[str, Any], results: Results, weights: np.ndarray[Any, Any]) -> tuple[float, float]:
    matches = matches_of(match(truth, results, areas=False), image_numbers(truth))
    table = np.array([m.average_precision(weights) for m in matches])
    return float(np.nanmean(table)), float(np.nanmean(table[:, 0]))


def test_ap_with_each_picture_once_is_cocos() -> None:
    truth, results = room()
    metrics = coco_metrics(truth, results)
    assert weighted(truth, results, np.ones(24)) == pytest.approx((metrics["AP"], metrics["AP50"]), abs=1e-9)


def test_ap_with_weights_is_cocos_on_repeated_pictures() -> None:
    truth, results = room()
    weights = np.random.default_rng(1).integers(0, 4, 24).astype(float)
    repeated: dict[str, Any] = {"categories": truth["categories"], "images": [], "annotations": []}
    parts = []
    for image in truth["images"]:
        for copy in range(int(weights[image["id"]])):
            number = image["id"] + 1000 * copy
            repeated["images"].append({**image, "id": number})
            mine = [a for a in truth["annotations"] if a["image_id"] == image["id"]]
            repeated["annotations"] += [{**a, "image_id": number} for a in mine]
            copied = results[results.image_ids == image["id"]]
            parts.append(replace(copied, image_ids=np.full(len(copied), number)))
    metrics = coco_metrics(repeated, join_results(parts))
    assert weighted(truth, results, weights) == pytest.approx((metrics["AP"], metrics["AP50"]), abs=1e-6)


def test_groups_that_differ_make_wider_intervals_than_pictures_do() -> None:
    truth, results = room(60)
    alone = {**truth, "images": [{k: v for k, v in image.items() if k != "session"} for image in truth["images"]]}
    matches = matches_of(match(truth, results, areas=False), image_numbers(truth))
    by_session, by_picture = find_groups(truth), find_groups(alone)
    assert (len(by_session), len(by_picture)) == (6, 60)
    widths = []
    for groups in (by_session, by_picture):
        low, high = interval(resample(matches, groups, resamples=200).AP50) or (0, 0)
        widths.append(high - low)
    assert widths[0] > 1.2 * widths[1]


def test_groups_come_from_a_table_or_the_annotations(tmp_path: Path) -> None:
    truth, _ = room(4)
    assert find_groups(truth).source == "images[].session"
    table = tmp_path / "groups.csv"
    table.write_text("file_name,group\n0.jpg,a\n1.jpg,b\n2.jpg,a\n3.jpg,b\n")
    groups = find_groups(truth, table)
    assert (groups.names, groups.of_image.tolist()) == (("a", "b"), [0, 1, 0, 1])
    table.write_text("file_name,group\n0.jpg,a\n")
    with pytest.raises(AnnotationError, match="leaves images out"):
        find_groups(truth, table)
    with pytest.raises(AnnotationError, match="cannot be read"):
        find_groups(truth, tmp_path / "missing.csv")


def test_a_detector_does_not_differ_from_itself_and_a_better_one_is_seen_to_be_better() -> None:
    truth, results = room(48)
    _, better = room(48, noise=0.5)
    groups = find_groups(truth)
    same = evaluate_in_depth(
        truth, Subject("a", "0", results), groups=groups, other=Subject("b", "1", results), resamples=50
    )
    assert same.content["comparison"]["AP"] == {"difference": 0.0, "interval": (0.0, 0.0), "share_better": 0.0}
    study = evaluate_in_depth(
        truth, Subject("a", "0", results), groups=groups, other=Subject("b", "1", better), resamples=50
    )
    row = study.content["comparison"]["AP"]
    assert row["difference"] > 0.2
    assert row["interval"][0] > 0
    assert row["share_better"] == 1.0
    assert study.content["comparison"]["per_category"]["cup"]["interval"][0] > 0


def test_what_the_study_says_about_errors() -> None:
    truth, results = room()
    content = evaluate_in_depth(truth, Subject("a", "0", results), groups=find_groups(truth), resamples=20).content
    assert content["errors"]["Bkg"]["count"] > 0 and content["errors"]["Cls"]["count"] > 0
    assert len(content["confusion"]["matrix"]) == len(NAMES) + 1
    assert content["slices"]["group s0"]["images"] == 4
    assert content["slices"]["group s0"]["AP50"] > content["slices"]["group s5"]["AP50"]  # s5 has six times the noise
    best = content["best_confidence"]
    assert 0 < best["F1"] <= 1
    assert best["F1"] == pytest.approx(2 / (1 / best["precision"] + 1 / best["recall"]))
    assert "only 6 groups" in content["resampling"]["note"]
    errors = [row["wrong"] + row["missed"] for row in content["worst_images"]]
    assert errors == sorted(errors, reverse=True)


def test_nothing_detected_can_be_evaluated_too(tmp_path: Path) -> None:
    truth, results = room(4)
    study = evaluate_in_depth(truth, Subject("a", "0", results[:0]), groups=find_groups(truth), resamples=5)
    assert study.content["AP"] == 0.0
    publish(study, truth, images=None, folder=tmp_path)


def test_the_command_writes_a_page_that_stands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, results = room(6)
    for image in truth["images"]:
        Image.new("RGB", (200, 150), (90, 120, 90)).save(tmp_path / image["file_name"])
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    rows = [
        {"image_id": image, "bbox": box, "score": score, "category_id": category}
        for image, box, score, category in zip(
            results.image_ids.tolist(),
            results.boxes_xywh.tolist(),
            results.scores.tolist(),
            results.category_ids.tolist(),
            strict=True,
        )
    ]
    (tmp_path / "found.json").write_text(json.dumps(rows))
    where = ["--truth", str(tmp_path / "truth.json"), "--detections", str(tmp_path / "found.json")]
    options = ["--images", str(tmp_path), "--report", str(tmp_path / "out"), "--resamples", "10", "--pictures", "2"]
    code = run_app(app, ["evaluate", *where, "--against", str(tmp_path / "found.json"), *options, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert code == 0
    assert result["AP"] == pytest.approx(coco_metrics(truth, results)["AP"])
    stored = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert stored["comparison"]["AP"]["difference"] == 0.0
    page = Path(result["report"]["page"]).read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert 'src="http' not in page and "<script" not in page
    assert page.count("<svg") == 5
