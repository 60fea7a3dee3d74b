"""The intervals of a coded tier, on the video's clock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.recordings.imported_data import read_recordings
from visionllm_interaction.utils.path_type import StrPath

_LEAST_S = 0.001


def read_tier_intervals(store: StrPath, video_id: str, tier: str) -> list[tuple[float, float]]:
    """Read the intervals of a coded tier, begun earlier and ended later by what their clock may be off.

    Args:
        store: the store's folder.
        video_id: the video.
        tier: name of the tier, in any case.

    Returns:
        Begin and end of each in seconds of the video, by begin; a moment has the same begin and end.

    Raises:
        UsageError: if the video has no such tier.
        StoreError: if the store or the video is not there.
    """
    with open_store(store) as opened:
        codes = opened.codes(video_id)
        last_s = opened.record(video_id).duration_s - _LEAST_S
    recordings = read_recordings(Path(store) / "videos" / video_id)
    wanted = tier.strip().casefold()
    own = [code for code in codes if code.tier.strip().casefold() == wanted]
    if not own:
        known = sorted({code.tier for code in codes})
        raise UsageError(
            "The video has no such coded tier.",
            expected=f"one of: {', '.join(known)}" if known else "a tier that was imported",
            found=tier,
            where=f"{store}, {video_id}",
            fix="import it first: visionllm import FILE --store DIR --video ID",
        )
    spans = []
    for code in own:
        off_s = _residual_s(code.source, recordings)
        # A moment at the very end is one of the last frame.
        begin_s = min(code.begin_s, last_s) if last_s > 0 else code.begin_s
        spans.append((begin_s - off_s, code.end_s + off_s))
    return sorted(spans)


def _residual_s(name: str, recordings: Mapping[str, Recording]) -> float:
    """How far a time of a recording may be off on the video's clock, as far as it is known."""
    total_s = 0.0
    following: str | None = name
    for _ in recordings:
        if following is None or following not in recordings:
            break
        total_s += recordings[following].residual_s or 0.0
        following = recordings[following].follows
    return total_s
