"""ToyRoom videos, and a store filled straight from their truth, so that only the reading of questions is judged."""

from __future__ import annotations

from pathlib import Path

from truth.room_truth import RoomTruth
from visionllm_bench.made_videos import publish_truth
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

# Small and coarse: only the truth is used.
CONFIG = ToyRoomConfig(video_width=160, video_height=120, video_seconds=20.0, fps=10.0)
# Place is no part of the truth: without this a store would say that nothing is left of anything.
PLACE_UNKNOWN = {"scenes": {"relations": {"placement": False}}}


def make_rooms(folder: Path, *, seed: int, videos: int) -> tuple[Path, list[RoomTruth]]:
    """Make videos and a store of them, or read those that ``folder`` has already."""
    toyroom, store = folder / "toyroom", folder / "store"
    if not toyroom.exists():
        make_toyroom(toyroom, images=0, videos=videos, seed=seed, config=CONFIG)
    truths = [RoomTruth.read(path, path.parent.name) for path in sorted(toyroom.glob("**/truth.json"))]
    truths = truths or [
        RoomTruth.read(path, path.name.removesuffix(".truth.json")) for path in sorted(toyroom.glob("**/*truth*.json"))
    ]
    if not store.exists():
        for truth in truths:
            publish_truth(store, truth.video_id, truth.content, config=PLACE_UNKNOWN)
    return store, truths
