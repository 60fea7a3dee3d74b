"""Pictures for the training loop: decoded, checked, augmented, in an order that only the seed and epoch decide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Generator, Tensor
from torch.utils.data import Dataset, Sampler

from visionllm_interaction.errors import ImageError
from visionllm_interaction.train.annotations import Picture
from visionllm_interaction.train.augment import Augmentation, Sample

Target = dict[str, Tensor]
Batch = tuple[list[Tensor], list[Target]]


class PictureDataset(Dataset[tuple[Tensor, Target]]):
    """Items: (3, H, W) uint8 picture and its target (``boxes`` xyxy, ``labels``, ``image_id``).

    With an augmentation the index is ``(epoch, number)``, and the pair alone decides the random changes: however
    many workers there are and wherever training resumes, a picture looks the same.
    """

    def __init__(
        self, pictures: Sequence[Picture], *, augmentation: Augmentation | None, seed: int = 0, cache: bool = False
    ) -> None:
        self._pictures = pictures
        self._augmentation = augmentation
        self._seed = seed
        self._cache: dict[int, Tensor] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int | tuple[int, int]) -> tuple[Tensor, Target]:
        epoch, number = index if isinstance(index, tuple) else (0, index)
        picture = self._pictures[number]
        boxes, labels = torch.from_numpy(picture.boxes_xyxy), torch.from_numpy(picture.labels)
        sample = Sample(self._decoded(number), boxes, labels)
        if self._augmentation is not None:
            generator = torch.Generator().manual_seed(hash((self._seed, epoch, picture.image_id)) % 2**63)
            sample = self._augmentation(sample, generator)
        target = {"boxes": sample.boxes_xyxy, "labels": sample.labels, "image_id": torch.tensor(picture.image_id)}
        return sample.image, target

    def _decoded(self, number: int) -> Tensor:
        if self._cache is None:
            return decode_picture(self._pictures[number])
        if number not in self._cache:
            self._cache[number] = decode_picture(self._pictures[number])
        return self._cache[number]


def decode_picture(picture: Picture) -> Tensor:
    """The picture as (3, H, W) uint8 RGB, upright as its EXIF orientation says if that fits the annotation's size.

    Raises:
        ImageError: if it cannot be decoded or has another size than annotated.
    """
    expected = (picture.width, picture.height)
    image = _open_rgb(picture.path, expected)
    if image.size != expected:
        raise ImageError(
            "A picture has another size than its annotation says.",
            expected=f"{expected[0]}×{expected[1]} pixels",
            found=f"{image.width}×{image.height}",
            where=str(picture.path),
            fix="correct width and height in the annotation file, or restore the picture",
        )
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _open_rgb(path: Path, expected: tuple[int, int]) -> Image.Image:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            return (upright if upright.size == expected else image).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ImageError(
            "A picture cannot be decoded.", expected="a JPEG or PNG file", found=str(error), where=str(path)
        ) from error


class EpochSampler(Sampler[tuple[int, int]]):
    """``(epoch, number)`` pairs in an order that seed and epoch decide; Lightning calls :meth:`set_epoch`.

    ``done`` (epoch, pairs) is where a resumed training stands: so many pairs of that epoch are not given again.
    ``share`` (rank, processes): every process gets its share of each batch, so that together they see the batches one
    process alone would see.
    """

    def __init__(
        self, size: int, *, seed: int, done: tuple[int, int] = (0, 0), share: tuple[int, int] = (0, 1)
    ) -> None:
        self._size = size
        self._seed = seed
        self._done = done
        self._share = share
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order for ``epoch`` (from 0)."""
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self._size / self._share[1])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator: Generator = torch.Generator().manual_seed(hash((self._seed, self._epoch)) % 2**63)
        order = torch.randperm(self._size, generator=generator).tolist()
        skipped = self._done[1] if self._epoch == self._done[0] else 0
        mine, processes = self._share
        order += order[: -len(order) % processes]  # shares of one length, or the processes would wait for each other
        return iter([(self._epoch, number) for number in order[skipped + mine :: processes]])


def collate(items: Sequence[tuple[Tensor, Target]]) -> Batch:
    """Pictures differ in size, so a batch is a list."""
    images, targets = zip(*items, strict=True)
    return list(images), list(targets)
