"""Random COCO-like dictionaries through stages 1-3: never a crash, and nothing left to do the second time."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from transform_chain import changes, cleaned, first_two, own_output, third, written

from visionllm_interaction.datasets.transformation.repair import REPAIRED_CODES
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.datasets.validation.config import ImageChecks, ValidateConfig
from visionllm_interaction.errors import InputDataError

CATEGORIES = [{"id": 1, "name": "ball"}, {"id": 2, "name": "cup"}, {"id": 3, "name": "child"}]
SOUND_IMAGE = {"id": 1, "width": 64, "height": 48, "file_name": "b.jpg"}
SOUND = {
    "images": [SOUND_IMAGE],
    "annotations": [{"id": 0, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
    "categories": CATEGORIES,
}
NAMED_OTHERWISE = {**SOUND_IMAGE, "file_name": "B.JPG"}
"""So the folder is searched for the image, with the names as the file has them."""


def _lenient(code: str) -> str:
    fault = CATALOGUE[code]
    if fault.fatal:
        return "error"
    if code in REPAIRED_CODES:
        return "repair"
    return "drop" if fault.droppable else "warn"


ALL_IS_FORGIVEN = ValidateConfig(
    actions={code: _lenient(code) for code in CATALOGUE},
    max_invalid_bbox_allowed=10_000,
    images=ImageChecks(enabled=False),  # they are the same in every example
)

odd = st.none() | st.booleans() | st.text(max_size=3) | st.floats() | st.just([]) | st.just({"a": [1]})
small = st.integers(-2, 12)
number = small | st.floats(-60, 90, width=32)
box = st.lists(number, min_size=4, max_size=4)
polygon = st.lists(st.lists(number, min_size=6, max_size=8), min_size=1, max_size=2)
runs = st.fixed_dictionaries({"size": st.just([48, 64]), "counts": st.lists(small, max_size=4) | st.text(max_size=4)})


def record(**fields: Any) -> st.SearchStrategy[Any]:
    """Mostly what it should be; now and then a key is missing, odd or unknown."""
    usual = {key: st.one_of(value, value, value, value, value, odd) for key, value in fields.items()}
    sound = st.fixed_dictionaries(fields, optional={"unknown ü": odd})
    return st.one_of(sound, sound, sound, st.fixed_dictionaries({}, optional=usual), odd)


names = st.sampled_from(["a.jpg", "b.jpg", "../c", "A.JPG"])
images = record(id=small, width=st.just(64), height=st.just(48), file_name=names)
annotations = record(
    id=small,
    image_id=small,
    category_id=st.integers(1, 3),
    bbox=box,
    area=number,
    iscrowd=st.integers(0, 1),
    segmentation=polygon | runs | st.just([]),
)
categories = record(id=st.integers(1, 3), name=st.sampled_from(["ball", "cup", "Ball"]))
sane = st.just([{"id": n, "name": name} for n, name in enumerate(["ball", "cup", "child"], start=1)])
files = st.fixed_dictionaries(
    {
        "images": st.lists(images, max_size=4) | odd,
        "annotations": st.lists(annotations, max_size=6) | odd,
        "categories": st.one_of(sane, sane, sane, st.lists(categories, max_size=3), odd),
    },
    optional={"info": odd, "licenses": odd},
)
# Sound enough to get through stage 2.
good_image = st.integers(1, 5).map(lambda n: {"id": n, "width": 64, "height": 48, "file_name": f"{'ab'[n % 2]}.jpg"})
good_box = st.tuples(st.integers(-9, 60), st.integers(-9, 44), st.integers(1, 80), st.integers(1, 60)).map(list)
good = st.fixed_dictionaries(
    {
        "images": st.lists(good_image, min_size=1, max_size=4, unique_by=lambda i: i["id"]),
        "annotations": st.lists(
            st.fixed_dictionaries(
                {"id": small, "image_id": st.integers(1, 5), "category_id": st.integers(1, 3), "bbox": good_box | box},
                optional={"area": number, "segmentation": polygon, "extra": odd, "iscrowd": st.just(0)},
            ),
            min_size=1,
            max_size=8,
        ),
        "categories": sane,
    }
)

mostly_sound = st.integers(0, 7).flatmap(lambda n: files if n == 7 else good)


def make(root: Path, contents: dict[str, Any]) -> Path:
    from PIL import Image

    (root / "annotations").mkdir(parents=True)
    for split, content in contents.items():
        (root / f"{split}2017").mkdir()
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (64, 48), (len(split) * 40, ord(name[0]), 7)).save(root / f"{split}2017" / name)
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))
    return root


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(train=mostly_sound, val=mostly_sound)
@example(train=SOUND, val={**SOUND, "images": [NAMED_OTHERWISE, None]})
@example(train=SOUND, val={**SOUND, "images": [NAMED_OTHERWISE, {**SOUND_IMAGE, "id": 2, "file_name": 7}]})
@example(train=SOUND, val={**SOUND, "images": [SOUND_IMAGE, None]})
def test_random_data_is_reported_or_transformed_and_then_final(train: Any, val: Any) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        event(_through_all(folder, {"train": train, "val": val}))
    finally:
        shutil.rmtree(folder)


def _through_all(folder: Path, contents: dict[str, Any]) -> str:
    root = make(folder / "data", contents)
    report = first_two(root, folder / "run1", policy=ALL_IS_FORGIVEN)
    if report.status != "PASS":
        return f"stage 2 said FAIL {report.reasons[0][:40]}"
    try:
        manifest = third(folder / "run1")
    except InputDataError as error:
        assert error.message and error.found
        return "stage 3 refused"
    for split in ("train", "val"):
        content = cleaned(folder / "run1", split)
        assert len(content["annotations"]) == manifest.counts[split].annotations
        ids = {image["id"] for image in content["images"] if isinstance(image, dict)}  # the rest was warned of
        assert all(annotation["image_id"] in ids for annotation in content["annotations"])
    again = own_output(manifest, folder / "run1", folder / "data2")
    if first_two(again, folder / "run2", policy=ALL_IS_FORGIVEN).status != "PASS":
        return "transformed; of what is left, stage 2 says FAIL"
    third(folder / "run2")
    assert changes(folder / "run2") == [] and written(folder / "run1") == written(folder / "run2")
    return "transformed, and final"
