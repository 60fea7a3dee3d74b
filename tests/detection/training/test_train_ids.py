"""Ids of every kind: the evaluation is exact or refuses; nothing is confused, nothing ends as an internal error."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.detection.evaluation.category_map import map_categories, parse_map
from visionllm_interaction.detection.evaluation.coco_metrics import METRICS, coco_metrics, parse_results, to_results
from visionllm_interaction.detection.evaluation.evaluate import evaluate_files
from visionllm_interaction.detection.evaluation.id_numbering import ids_of
from visionllm_interaction.detection.evaluation.image_groups import find_groups
from visionllm_interaction.detection.evaluation.report import Subject, evaluate_in_depth
from visionllm_interaction.errors import AnnotationError, InputDataError, UsageError

HUGE = 2**53
ANY_IDS: dict[str, st.SearchStrategy[Any]] = {
    "small": st.integers(0, 100),
    "negative": st.integers(-(2**63), -1),
    "beyond 2^53": st.integers(HUGE, 2**63 - 1),
    "near 2^53": st.integers(HUGE - 8, HUGE + 8),
    "nanoseconds": st.integers(1_700_000_000_000_000_000, 1_700_000_000_000_000_100),
    "any of 64 bits": st.integers(-(2**63), 2**63 - 1),
    "texts": st.text("abc0123_-é", min_size=1, max_size=6),
    "texts that are numbers": st.integers(0, 200).map(str),
}
IMAGES, CATEGORIES = 5, 3


def scene(image_ids: Sequence[Any], category_ids: Sequence[Any], seed: int) -> tuple[dict[str, Any], list[Any]]:
    """Annotations and detections with ties, crowds, misses and wrong categories."""
    rng = np.random.default_rng(seed)
    truth: dict[str, Any] = {
        "images": [{"id": i, "file_name": f"{n}.jpg", "width": 400, "height": 300} for n, i in enumerate(image_ids)],
        "categories": [{"id": c, "name": f"kind {n}"} for n, c in enumerate(category_ids)],
        "annotations": [],
    }
    found = []
    for image_id in image_ids:
        for _ in range(int(rng.integers(1, 4))):
            box = [*rng.integers(0, 200, 2).tolist(), *rng.integers(10, 150, 2).tolist()]
            category = category_ids[int(rng.integers(len(category_ids)))]
            entry = {"id": len(truth["annotations"]) + 1, "image_id": image_id, "category_id": category}
            crowd = int(rng.random() < 0.1)
            truth["annotations"].append({**entry, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd})
            for _ in range(int(rng.integers(0, 3))):
                moved = [box[0] + int(rng.integers(-8, 8)), box[1], box[2], box[3] + int(rng.integers(0, 9))]
                seen = category if rng.random() < 0.8 else category_ids[0]
                score = float(rng.integers(1, 5)) / 4  # ties: their order depends on the order of the images
                found.append({"image_id": image_id, "category_id": seen, "bbox": moved, "score": score})
    return truth, found


def pycocotools_metrics(truth: dict[str, Any], found: list[Any]) -> list[float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = json.loads(json.dumps(truth))
        ground.createIndex()
        evaluation = COCOeval(ground, ground.loadRes(json.loads(json.dumps(found))), "bbox")
        for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
            step()
    return list(evaluation.stats)


def our_metrics(truth: dict[str, Any], found: list[Any]) -> dict[str, Any]:
    return coco_metrics(json.loads(json.dumps(truth)), parse_results(json.dumps(found).encode(), where="test"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_ids_of_every_kind_give_pycocotools_figures(data: st.DataObject, seed: int) -> None:
    pytest.importorskip("pycocotools.cocoeval")
    kinds = [data.draw(st.sampled_from(sorted(ANY_IDS))) for _ in range(2)]
    images, categories = (
        data.draw(st.lists(ANY_IDS[kind], min_size=size, max_size=size, unique=True))
        for kind, size in zip(kinds, (IMAGES, CATEGORIES), strict=True)
    )
    truth, found = scene(images, categories, seed)
    if found:
        metrics = our_metrics(truth, found)
        np.testing.assert_allclose([metrics[name] for name in METRICS], pycocotools_metrics(truth, found), atol=1e-9)


@pytest.mark.parametrize("bad", [None, True, 1.5, 2**64, [1], {"a": 1}, 2.0**60])
def test_ids_that_nobody_can_tell_apart_are_refused(tmp_path: Path, bad: Any) -> None:
    truth, found = scene([1, 2, 3], [1, 2], seed=0)
    for broken in ("images", "categories", "annotations", "results"):
        content, rows = json.loads(json.dumps(truth)), json.loads(json.dumps(found))
        if broken == "results":
            rows[0]["image_id"] = bad
        else:
            content[broken][0]["image_id" if broken == "annotations" else "id"] = bad
        (tmp_path / "t.json").write_text(json.dumps(content))
        (tmp_path / "r.json").write_text(json.dumps(rows))
        with pytest.raises(AnnotationError):
            evaluate_files(tmp_path / "t.json", tmp_path / "r.json")


def test_numbers_and_texts_are_not_mixed_and_whole_floats_are_whole() -> None:
    assert ids_of([1.0, 2, 3.0], key="id").tolist() == [1, 2, 3]
    assert ids_of(["b", "a"], key="id").tolist() == ["b", "a"]
    with pytest.raises(AnnotationError, match="'2'"):
        ids_of([1, "2"], key="id")


def test_numbers_in_the_results_are_no_texts_of_the_annotations() -> None:
    truth, found = scene(["1", "2"], [1], seed=1)
    rows = [{**row, "image_id": int(row["image_id"])} for row in found]
    with pytest.raises(AnnotationError, match="the annotations do not have"):
        our_metrics(truth, rows)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iscrowd": None}, "iscrowd"),
        ({"iscrowd": 2}, "iscrowd"),
        ({"bbox": None}, "bbox"),
        ({"bbox": [1, 2, 3]}, "bbox"),
        ({"area": "large"}, "area"),
        ({"bbox": "ABSENT"}, "bbox"),
        ({"image_id": "ABSENT"}, "image_id"),
    ],
)
def test_a_record_that_cannot_be_evaluated_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    truth, found = scene([1, 2], [1], seed=2)
    record = truth["annotations"][1]
    record.update(change)
    for key in [key for key, value in record.items() if value == "ABSENT"]:
        del record[key]
    (tmp_path / "t.json").write_text(json.dumps(truth))
    (tmp_path / "r.json").write_text(json.dumps(found))
    with pytest.raises(AnnotationError, match=says):
        evaluate_files(tmp_path / "t.json", tmp_path / "r.json")


def test_an_area_that_is_missing_is_the_boxes() -> None:
    truth, found = scene([1, 2], [1], seed=3)
    expected = our_metrics(truth, found)
    for record in truth["annotations"]:
        record["area"] = None
    assert our_metrics(truth, found) == expected


def test_annotations_of_images_that_are_not_listed_do_not_count() -> None:
    truth, found = scene([1, 2], [1], seed=4)
    expected = our_metrics(truth, found)
    stray = {"id": 99, "image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0}
    truth["annotations"].insert(0, stray)
    assert our_metrics(truth, found) == expected


def test_two_categories_of_one_name_stay_apart() -> None:
    truth, found = scene([1, 2, 3], [4, 9], seed=5)
    for category in truth["categories"]:
        category["name"] = "cup"
    assert list(our_metrics(truth, found)["per_category"]) == ["cup (4)", "cup (9)"]


def test_the_study_speaks_of_images_by_their_own_ids() -> None:
    ids = [HUGE + n for n in range(4)]
    truth, found = scene(ids, [1, 2], seed=6)
    results = parse_results(json.dumps(found).encode(), where="test")
    content = evaluate_in_depth(truth, Subject("a", "0", results), groups=find_groups(truth), resamples=5).content
    assert content["worst_images"] and {row["image_id"] for row in content["worst_images"]} <= set(ids)
    assert content["AP"] == our_metrics(truth, found)["AP"]


def test_training_keeps_ids_apart_that_floating_point_numbers_confuse() -> None:
    from visionllm_interaction.core.detections import Detections

    found = Detections(np.array([[1, 2, 11, 22]]), np.array([0.5]), np.array([1]))
    results = [to_results(HUGE + n, found, category_ids={1: HUGE + 5}) for n in (0, 1)]
    assert [part.image_ids.tolist() for part in results] == [[HUGE], [HUGE + 1]]
    assert results[0].category_ids.tolist() == [HUGE + 5]


COCO_NAMES = {1: "person", 2: "bicycle", 3: "Sports-Ball"}


def lab(*names: str) -> dict[str, Any]:
    return {"images": [], "annotations": [], "categories": [{"id": 10 + n, "name": x} for n, x in enumerate(names)]}


def test_a_detector_with_more_categories_is_evaluated_on_those_that_map() -> None:
    by_name = map_categories(COCO_NAMES, lab("person", "sports ball", "cup"), {}, detector="d")
    assert by_name.ids == {1: 10, 3: 11}
    assert by_name.to_dict() == {
        "evaluated": ["person", "sports ball"],
        "detector_only": ["bicycle"],
        "data_only": ["cup"],
    }
    said = map_categories(COCO_NAMES, lab("child", "cup"), {"person": "child"}, detector="d")
    assert (said.ids, said.data_only) == ({1: 10}, ("cup",))


def test_a_map_that_names_nothing_is_refused() -> None:
    with pytest.raises(InputDataError, match="--map person=child"):
        map_categories(COCO_NAMES, lab("child"), {}, detector="d")
    with pytest.raises(UsageError, match="persn"):
        map_categories(COCO_NAMES, lab("child"), {"persn": "child"}, detector="d")
    with pytest.raises(UsageError, match="chld"):
        map_categories(COCO_NAMES, lab("child"), {"person": "chld"}, detector="d")
    for wrong in (["person"], ["=child"], ["a=b", "a=c"]):
        with pytest.raises(UsageError):
            parse_map(wrong)


def test_results_of_another_numbering_are_evaluated_with_a_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, found = scene([1, 2, 3], [7], seed=7)
    rows = [{**row, "category_id": 1} for row in found] + [{**found[0], "category_id": 44}]
    (tmp_path / "t.json").write_text(json.dumps(truth))
    (tmp_path / "r.json").write_text(json.dumps(rows))
    files = ["--truth", str(tmp_path / "t.json"), "--detections", str(tmp_path / "r.json"), "--json"]
    assert run_app(app, ["evaluate", *files]) == 3
    assert "--map" in json.loads(capsys.readouterr().out)["error"]["fix"]
    assert run_app(app, ["evaluate", *files, "--map", "1=kind 0"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["AP"] == our_metrics(truth, found)["AP"]
    assert result["categories"] == {"evaluated": ["kind 0"], "detector_only": ["44"], "data_only": []}
