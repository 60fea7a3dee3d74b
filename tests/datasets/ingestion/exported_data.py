"""Small data sets as annotation tools export them, taken in and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run


def image(path: Path, width: int = 200, height: int = 100, *, orientation: int | None = None) -> Path:
    """An image of one colour, with an EXIF orientation if one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", (width, height), (10, 90, 160)).save(path, exif=exif)
    return path


def write(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def take_in(root: Path, **settings: Any) -> DataManifest:
    """Stage 1 on ``root``; what it makes lies beside it."""
    place = root.parent / f"taken-{root.name}"
    config = IngestConfig(root=root, work_dir=place / "work", limits={"min_free_gb": 0.0}, **settings)
    return run(config, out=place / "run/data_ingestion")


def splits(manifest: DataManifest) -> dict[str, dict[str, Any]]:
    """Split → decoded annotation file."""
    files = sorted((Path(manifest.root) / "annotations").glob("instances_*2017.json"))
    return {path.name[10:-9]: json.loads(path.read_text(encoding="utf-8-sig")) for path in files}


def names(manifest: DataManifest) -> dict[str, list[str]]:
    """Split → image names, sorted."""
    return {split: sorted(i["file_name"] for i in content["images"]) for split, content in splits(manifest).items()}


def objects(manifest: DataManifest) -> list[tuple[str, str, tuple[float, ...]]]:
    """(image, category, x y width height) of every annotation of every split, sorted."""
    found = []
    for content in splits(manifest).values():
        images = {entry["id"]: entry["file_name"] for entry in content["images"]}
        categories = {entry["id"]: entry["name"] for entry in content["categories"]}
        for a in content["annotations"]:
            box = tuple(round(value, 6) for value in a["bbox"])
            found.append((images[a["image_id"]], categories[a["category_id"]], box))
    return sorted(found)


def annotations(manifest: DataManifest) -> list[dict[str, Any]]:
    return [a for content in splits(manifest).values() for a in content["annotations"]]


def left_out(manifest: DataManifest) -> dict[str, int]:
    assert manifest.source is not None
    return manifest.source.left_out


def linked(manifest: DataManifest) -> dict[str, Path]:
    """``split/name`` → the file it links to."""
    root = Path(manifest.root)
    found = (path for split in ("train", "val", "test") for path in root.glob(f"{split}2017/**/*") if path.is_file())
    return {path.relative_to(root).as_posix().replace("2017", "", 1): path.resolve() for path in found}
