"""From a training manifest to data loaders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from torch.utils.data import DataLoader, Dataset

from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.training.checkpoint_resume import Position
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.coco_annotations import TrainingImage, list_images, read_coco
from visionllm_interaction.detection.training.data.dataset import ImageDataset, collate
from visionllm_interaction.detection.training.data.samplers import EpochPlan, EpochSampler
from visionllm_interaction.detection.training.data.transforms import Augmentation
from visionllm_interaction.detection.training.distributed import per_process_batch_size, process_count, rank
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What is trained and evaluated on; ``truth`` is the validation annotations, cut to the same images."""

    train: list[TrainingImage]
    val: list[TrainingImage]
    truth: dict[str, Any]
    categories: Categories


def read_training_data(manifest_path: StrPath, config: TrainConfig) -> TrainingData:
    """Read the annotations and list the images of a training manifest.

    Args:
        manifest_path: the manifest of stage 3.
        config: the settings of training, with their debug limits.

    Returns:
        The images and categories of both splits.

    Raises:
        ManifestError, AnnotationError: if the manifest or an annotation file is unusable, or a split is empty.
    """
    manifest_path = Path(manifest_path)
    manifest = TrainingManifest.load(manifest_path)
    run = run_of(manifest_path) or manifest_path.parent.parent
    categories = manifest.label_map()
    truth = _cut(read_coco(run / manifest.annotations["val"]), config.max_val_images)
    train = _cut(read_coco(run / manifest.annotations["train"]), config.max_train_images)
    data = TrainingData(
        train=list_images(train, run / manifest.images["train"], categories=categories),
        val=list_images(truth, run / manifest.images["val"], categories=categories),
        truth=truth,
        categories=categories,
    )
    if not data.train or not data.val:
        raise AnnotationError(
            "There is nothing to train on.",
            expected="images in both splits",
            found=f"{len(data.train)} to train on, {len(data.val)} to validate on",
            where=str(manifest_path),
        )
    return data


def _cut(coco: dict[str, Any], limit: int | None) -> dict[str, Any]:
    images = coco["images"][:limit]
    kept = {image["id"] for image in images}
    annotations = [a for a in coco["annotations"] if a["image_id"] in kept]
    return {**coco, "images": images, "annotations": annotations}


class DetectionDataModule(lightning.LightningDataModule):
    """Augmented, shuffled training batches; plain validation batches in file order."""

    def __init__(self, data: TrainingData, config: TrainConfig, *, start: Position = Position()) -> None:
        super().__init__()
        self._start = start
        self._data = data
        self._config = config

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of ``(images, targets)``; the last incomplete one is left out if there is another."""
        config = self._config
        augmentation = Augmentation(hflip=config.hflip, zoom=config.zoom, photometric=config.photometric)
        dataset = ImageDataset(self._data.train, augmentation=augmentation, seed=config.seed, cache=config.cache_images)
        done = (self._start.epoch, self._start.batches * config.batch_size)
        plan = EpochPlan.of(self._data.train, config)
        sampler = EpochSampler(plan, seed=config.seed, done=done, share=(rank(), process_count()))
        # a last batch of one or two images gives batch normalisation a bad estimate
        drop_last = plan.length >= 2 * config.batch_size
        return self._loader(dataset, sampler=sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Any]:
        """All validation images, or this process's share of them."""
        mine = self._data.val[rank() :: process_count()]
        return self._loader(ImageDataset(mine, augmentation=None, cache=self._config.cache_images))

    def _loader(self, dataset: Dataset[Any], **options: Any) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=per_process_batch_size(self._config.batch_size),
            num_workers=self._config.workers,
            collate_fn=collate,
            persistent_workers=self._config.workers > 0,
            **options,
        )
