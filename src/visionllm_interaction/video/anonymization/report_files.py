"""The files beside a copy: what was blurred where, the report, and the proof."""

from __future__ import annotations

import csv
from pathlib import Path

from visionllm_interaction.video.anonymization.regions_to_blur import Regions


def report_path(copy: Path) -> Path:
    """``COPY.mp4.json``: what was hidden, in numbers."""
    return copy.with_name(f"{copy.name}.json")


def proof_path(copy: Path) -> Path:
    """``COPY.mp4.proof.json``: PASS or FAIL, and what was compared."""
    return copy.with_name(f"{copy.name}.proof.json")


def regions_path(copy: Path) -> Path:
    """``COPY.mp4.regions.csv``: every blurred region."""
    return copy.with_name(f"{copy.name}.regions.csv")


def write_regions(copy: Path, regions: Regions) -> None:
    """Write the blurred regions, one row each, in pixels of the copy."""
    rows = regions.boxes
    with regions_path(copy).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["frame_index", "timestamp_s", "category", "track_id", "seen", "x1", "y1", "x2", "y2"])
        for n in range(len(rows)):
            box = [round(v, 1) for v in rows.boxes_xyxy[n].tolist()]
            seen = int(not rows.interpolated[n])
            time_s = round(float(rows.timestamp_s[n]), 6)
            writer.writerow([rows.frame_index[n], time_s, rows.category[n], rows.track_id[n], seen, *box])
