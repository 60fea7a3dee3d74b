"""Images for the training loop: decoded, checked, augmented as seed, epoch and image decide."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.detection.training.data.coco_annotations import TrainingImage
from visionllm_interaction.detection.training.data.transforms import Augmentation, Sample
from visionllm_interaction.errors import ImageError

Target = dict[str, Tensor]
Batch = tuple[list[Tensor], list[Target]]


class ImageDataset(Dataset[tuple[Tensor, Target]]):
    """Items: (3, H, W) uint8 image and its target (``boxes`` xyxy, ``labels``, ``image_id``).

    With an augmentation the index is ``(epoch, number)``, and the pair alone decides the random changes: however
    many workers there are and wherever training resumes, an image looks the same.
    """

    def __init__(
        self,
        images: Sequence[TrainingImage],
        *,
        augmentation: Augmentation | None,
        seed: int = 0,
        cache: bool = False,
    ) -> None:
        self._images = images
        self._augmentation = augmentation
        self._seed = seed
        self._cache: dict[int, Tensor] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int | tuple[int, int]) -> tuple[Tensor, Target]:
        epoch, number = index if isinstance(index, tuple) else (0, index)
        image = self._images[number]
        boxes, labels = torch.from_numpy(image.boxes_xyxy), torch.from_numpy(image.labels)
        sample = Sample(self._decoded(number), boxes, labels)
        if self._augmentation is not None:
            generator = torch.Generator().manual_seed(hash((self._seed, epoch, image.image_id)) % 2**63)
            sample = self._augmentation(sample, generator)
        target = {"boxes": sample.boxes_xyxy, "labels": sample.labels, "image_id": torch.tensor(image.image_id)}
        return sample.image, target

    def _decoded(self, number: int) -> Tensor:
        if self._cache is None:
            return decode_image(self._images[number])
        if number not in self._cache:
            self._cache[number] = decode_image(self._images[number])
        return self._cache[number]


def decode_image(image: TrainingImage) -> Tensor:
    """Decode an image, upright as its EXIF orientation says if that fits the annotated size.

    Args:
        image: the image, with its annotated size.

    Returns:
        (3, H, W) uint8 RGB.

    Raises:
        ImageError: if it cannot be decoded or has another size than annotated.
    """
    expected = (image.width, image.height)
    pixels = read_rgb(image.path, size=expected)
    if pixels.shape[1::-1] != expected:
        raise ImageError(
            "An image has another size than its annotation says.",
            expected=f"{expected[0]}×{expected[1]} pixels",
            found=f"{pixels.shape[1]}×{pixels.shape[0]}",
            where=str(image.path),
            fix="correct width and height in the annotation file, or restore the image",
        )
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def collate(items: Sequence[tuple[Tensor, Target]]) -> Batch:
    """Images differ in size, so a batch is a list."""
    images, targets = zip(*items, strict=True)
    return list(images), list(targets)
