"""An annotation format: ``boxes.csv`` beside the images, with the columns ``image, label, x, y, width, height``."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from visionllm_interaction.plugins import (
    AnnotatedShape,
    AnnotationFormatPlugin,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    ImageFiles,
    LeftOut,
)

COLUMNS = ["image", "label", "x", "y", "width", "height"]


@dataclass(frozen=True)
class BoxesCsv:
    """One row per box: the image's name, the label, and the box in pixels."""

    name: str = "boxes_csv"

    def detect(self, path: Path) -> Sequence[Path]:
        """See AnnotationFormatPlugin."""
        file = path / "boxes.csv" if path.is_dir() else path
        if file.name != "boxes.csv" or not file.is_file():
            return ()
        with file.open(newline="", encoding="utf-8") as stream:
            return (file,) if next(csv.reader(stream), None) == COLUMNS else ()

    def read(self, source: DetectedDataset) -> ConvertedDataset:
        """See AnnotationFormatPlugin."""
        files = ImageFiles(source.root)
        rows: dict[str, list[dict[str, str]]] = defaultdict(list)
        with source.files[0].open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                rows[row["image"]].append(row)
        images, left_out = [], []
        for name, boxes in rows.items():
            file = files.find(name)
            if file is None:
                left_out.append(LeftOut("image", "it is not below the folder", name, boxes))
                continue
            with Image.open(file) as opened:
                width, height = opened.size
            shapes = tuple(
                AnnotatedShape(
                    box["label"], (float(box["x"]), float(box["y"]), float(box["width"]), float(box["height"]))
                )
                for box in boxes
            )
            images.append(ConvertedImage(name, file, width, height, subset="train", shapes=shapes))
        labels = dict.fromkeys(shape.label for image in images for shape in image.shapes)
        return ConvertedDataset(tuple(labels), tuple(images), tuple(left_out))


FORMAT: AnnotationFormatPlugin = BoxesCsv()
