"""The gain of a round, against the evaluation of both checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_pool import write_manifest

from visionllm_interaction.detection.evaluation.category_map import map_categories
from visionllm_interaction.detection.evaluation.coco_metrics import Results
from visionllm_interaction.detection.evaluation.evaluate import Material
from visionllm_interaction.detection.evaluation.report import Subject
from visionllm_interaction.detection.training.data.coco_annotations import read_coco
from visionllm_interaction.errors import UsageError
from visionllm_interaction.labelling import gain as gain_module
from visionllm_interaction.labelling.gain import measure_gain


def detections(path: Path, shift: float, *, names: tuple[str, ...] = ("ball", "cup", "child")) -> Material:
    """Every true box of these categories, moved to the right by ``shift`` pixels."""
    truth = read_coco(path)
    categories = map_categories(dict(enumerate(names, start=1)), truth, {}, detector="scripted")
    kept = categories.restrict(truth)
    rows = kept["annotations"]
    boxes = [[a["bbox"][0] + shift, *a["bbox"][1:]] for a in rows]
    results = Results.of([a["image_id"] for a in rows], boxes, [0.9] * len(rows), [a["category_id"] for a in rows])
    return Material(kept, Subject("scripted", "0" * 64, results), None, categories)


@pytest.fixture
def val(tmp_path: Path) -> Path:
    write_manifest(tmp_path)
    return tmp_path / "coco" / "annotations" / "instances_val2017.json"


def test_the_gain_is_the_difference_of_both_with_its_paired_interval(
    val: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Boxes 20 px wide, 4 px off: IoU 16/24 = 0.667, right at 0.5 to 0.65. 1 px off: 19/21 = 0.905, right up to 0.9.
    sides = {"before.pt": 4.0, "after.pt": 1.0}
    monkeypatch.setattr(
        gain_module, "material_of_checkpoint", lambda path, data, images=None: detections(val, sides[str(path)])
    )
    found = measure_gain("before.pt", "after.pt", data=val, resamples=50)
    assert (found.AP.before, found.AP.after) == (pytest.approx(0.4), pytest.approx(0.9))
    assert found.AP.difference == pytest.approx(0.5)
    # All images are alike: every resample has the same difference.
    assert found.AP.interval == pytest.approx((0.5, 0.5))
    assert found.AP.share_better == 1.0
    assert set(found.per_category) == {"ball", "cup", "child"}
    assert found.images == 4
    assert json.loads(json.dumps(found.to_dict()))["AP50"]["difference"] == pytest.approx(0.0)
    assert found.AP.line("AP") == "AP: 0.400 → 0.900, +0.500 (95 % interval +0.500 to +0.500)"


def test_a_new_category_does_not_count(val: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"before.pt": ("ball", "cup"), "after.pt": ("ball", "cup", "child")}
    monkeypatch.setattr(
        gain_module,
        "material_of_checkpoint",
        lambda path, data, images=None: detections(val, 1.0, names=names[str(path)]),
    )
    found = measure_gain("before.pt", "after.pt", data=val, resamples=20)
    assert set(found.per_category) == {"ball", "cup"}
    assert found.AP.difference == pytest.approx(0.0)


def test_no_resamples_is_no_interval(val: Path) -> None:
    with pytest.raises(UsageError, match="resamples"):
        measure_gain("a.pt", "b.pt", data=val, resamples=0)
