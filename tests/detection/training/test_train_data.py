"""Images and targets as the training loop gets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_training import HEIGHT, WIDTH, tiny_train, write_manifest, write_split

from visionllm_interaction.detection.training.data.coco_annotations import (
    TrainingImage,
    categories_of,
    list_images,
    read_coco,
)
from visionllm_interaction.detection.training.data.datamodule import DetectionDataModule, read_training_data
from visionllm_interaction.detection.training.data.dataset import ImageDataset, collate, decode_image
from visionllm_interaction.detection.training.data.samplers import EpochPlan, EpochSampler
from visionllm_interaction.detection.training.data.transforms import Augmentation
from visionllm_interaction.errors import AnnotationError, ImageError


def training_images(tmp_path: Path, images: int = 6) -> list[TrainingImage]:
    coco = read_coco(write_split(tmp_path, "train", images=images, seed=5))
    return list_images(coco, tmp_path / "train2017", categories=categories_of(coco))


def test_empty_pictures_stay_and_crowds_are_no_targets(tmp_path: Path) -> None:
    found = training_images(tmp_path)
    assert [len(p.labels) for p in found] == [0, 2, 2, 2, 2, 1]  # the last image's second region is a crowd
    assert found[0].boxes_xyxy.shape == (0, 4)


def test_targets_are_xyxy_pixels_and_contiguous_labels(tmp_path: Path) -> None:
    dataset = ImageDataset(training_images(tmp_path), augmentation=None)
    for number in range(1, 5):
        image, target = dataset[number]
        assert image.dtype == torch.uint8 and image.shape == (3, HEIGHT, WIDTH)
        x1, y1, x2, y2 = target["boxes"][-1].int().tolist()  # the last one painted is on top
        colour = image[:, (y1 + y2) // 2, (x1 + x2) // 2].tolist()
        assert colour == ([230, 20, 20] if target["labels"][-1] == 1 else [20, 20, 230])
        assert (x2 - x1, y2 - y1) == (24, 20)


def test_boxes_are_cut_to_the_picture_and_slivers_outside_dropped(tmp_path: Path) -> None:
    file = write_split(tmp_path, "train", images=2, seed=1)
    coco = read_coco(file)
    coco["annotations"] = [
        {"id": 1, "image_id": 10, "category_id": 3, "bbox": [70, 50, 30, 30]},
        {"id": 2, "image_id": 10, "category_id": 3, "bbox": [80, 10, 5, 5]},
    ]
    (first, _) = list_images(coco, tmp_path, categories=categories_of(coco))
    assert first.boxes_xyxy.tolist() == [[70, 50, 80, 60]]


def test_a_picture_looks_the_same_however_it_is_reached(tmp_path: Path) -> None:
    listed = training_images(tmp_path)
    augmentation = Augmentation(hflip=0.5, zoom=(0.8, 1.25), photometric=0.2)
    plain = ImageDataset(listed, augmentation=augmentation, seed=3)
    cached = ImageDataset(listed, augmentation=augmentation, seed=3, cache=True)
    _ = cached[(0, 2)], cached[(1, 2)]
    assert torch.equal(plain[(4, 2)][0], cached[(4, 2)][0])
    first, second = plain[(0, 2)][0], plain[(1, 2)][0]
    assert first.shape != second.shape or not torch.equal(first, second)


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_do_not_depend_on_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    data = read_training_data(write_manifest(tmp_path), tiny_train())
    loader = DetectionDataModule(data, tiny_train(workers=workers)).train_dataloader()
    loader.sampler.set_epoch(2)
    ids = [int(t["image_id"]) for _, targets in loader for t in targets]
    sums = [int(image.sum()) for images, _ in loader for image in images]
    reference = DetectionDataModule(data, tiny_train(workers=0)).train_dataloader()
    reference.sampler.set_epoch(2)
    assert ids == [int(t["image_id"]) for _, targets in reference for t in targets]
    assert sums == [int(image.sum()) for images, _ in reference for image in images]
    assert sorted(ids) == list(range(10, 18))


def test_order_changes_with_epoch_and_seed() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochSampler(EpochPlan(20, 20), seed=seed)
        sampler.set_epoch(epoch)
        pairs = list(sampler)
        assert {e for e, _ in pairs} == {epoch}
        return [n for _, n in pairs]

    assert order(0, 0) == order(0, 0)
    assert sorted(order(0, 0)) == list(range(20))
    assert order(0, 0) != order(0, 1) != order(1, 1)


def test_exif_orientation_is_honoured_if_the_annotation_means_the_upright_picture(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90° clockwise to see it upright
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    upright = decode_image(TrainingImage(1, tmp_path / "turned.jpg", 40, 60, *none))
    stored = decode_image(TrainingImage(1, tmp_path / "turned.jpg", 60, 40, *none))
    assert upright.shape == (3, 60, 40) and upright[0, 5, 20] > 250 and upright[0, 55, 20] < 5
    assert stored.shape == (3, 40, 60) and stored[0, 20, 5] > 250 and stored[0, 20, 55] < 5
    with pytest.raises(ImageError, match="another size"):
        decode_image(TrainingImage(1, tmp_path / "turned.jpg", 61, 40, *none))


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not an image")
    for name in ("a.jpg", "absent.jpg"):
        with pytest.raises(ImageError, match=name):
            decode_image(TrainingImage(1, tmp_path / name, 1, 1, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)))


def test_debug_limits_cut_pictures_and_truth_alike(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    data = read_training_data(manifest, tiny_train(max_train_images=3, max_val_images=2))
    assert (len(data.train), len(data.val)) == (3, 2)
    assert {a["image_id"] for a in data.truth["annotations"]} <= {p.image_id for p in data.val}
    assert data.categories.names == ("red", "blue")


def test_broken_annotations_are_named(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    file = manifest.parent / "annotations" / "train.json"
    for content, message in (("{", "no JSON"), ("{}", "no images, annotations, categories"), ("[]", "no images")):
        file.write_text(content)
        with pytest.raises(AnnotationError, match=message):
            read_training_data(manifest, tiny_train())
    file.unlink()
    with pytest.raises(AnnotationError, match="No such file"):
        read_training_data(manifest, tiny_train())


def test_collate_keeps_pictures_of_any_size() -> None:
    a, b = (torch.zeros(3, 4, 5), {}), (torch.zeros(3, 6, 7), {})
    images, targets = collate([a, b])
    assert [i.shape for i in images] == [(3, 4, 5), (3, 6, 7)] and targets == [{}, {}]
