"""Agreement of looks that were derived from an eye tracker with looks that people coded, within one store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionllm_interaction.core.intervals import Intervals, as_intervals, intersection, union
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.tiers import Interval, sort_intervals
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.recordings.imported_data import read_recordings
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.agreement.agree import AgreementReport, Unit, agree
from visionllm_interaction.validity.agreement.coding import CodedRecording, Coding

CODED, DERIVED = "coded looks", "looks from gaze"
AWAY = "away"


def agree_looks(
    store: StrPath, *, unit: Unit = "time", tolerance_s: float = 0.0, step_s: float = 0.1
) -> AgreementReport:
    """How well looks from eye trackers agree with looks that people coded in the same videos.

    Each person whose looks are known both ways is a recording of its own (``VIDEO child``). Compared is the time that
    is known both ways: what was coded, and in which the tracker did not lose the eyes. So *lost* counts neither as
    looking nor as looking away. Targets are compared by their names, whatever their case; blanks may be coded as
    underscores, and what is coded as ``away`` is no look.

    Args:
        store: the store's folder.
        unit: ``"time"``, ``"event"`` or ``"frame"``, as in :func:`.agree.agree`.
        tolerance_s: how far looks or onsets may lie apart in seconds.
        step_s: length of a step for ``"frame"`` and alpha, in seconds.

    Returns:
        The agreement; the coded looks are the reference.

    Raises:
        InputDataError: if nobody's looks are known both ways, or several files code the looks of one person.
        StoreError: if the store is not there.
        UsageError: for a tolerance or step that is not possible.
    """
    coded: dict[str, CodedRecording] = {}
    derived: dict[str, CodedRecording] = {}
    with open_store(store) as opened:
        for video_id in opened.video_ids():
            for who, pair in _both_ways(opened, video_id).items():
                name = f"{video_id} {who}"
                coded[name], derived[name] = pair
    if not coded:
        raise InputDataError(
            "Nobody's looks are known both ways.",
            expected="a video with gaze of an eye tracker, and looks of the same person that were coded",
            found="none",
            where=str(store),
            fix="import both: visionllm import TRACKER-FOLDER … and visionllm import FILE --kind TIER=gaze …",
        )
    return agree(Coding(CODED, coded), Coding(DERIVED, derived), unit=unit, tolerance_s=tolerance_s, step_s=step_s)


def _both_ways(store: Store, video_id: str) -> dict[str, tuple[CodedRecording, CodedRecording]]:
    """Person → looks as coded and as derived, for everybody who has both."""
    recordings = read_recordings(store.path / "videos" / video_id)
    trackers = {name for name, recording in recordings.items() if recording.kind == "tracker"}
    codes = store.codes(video_id)
    covariates = read_covariates(store.path, video_id)
    child = (covariates.child if covariates else None) or video_id
    whole = _processed(store, video_id)
    found: dict[str, tuple[CodedRecording, CodedRecording]] = {}
    for who in sorted({code.participant for code in codes if code.source in trackers}):
        own = [code for code in codes if code.participant.casefold() == who.casefold()]
        tracked = [code for code in own if code.source in trackers]
        by_hand = [code for code in own if code.source not in trackers and code.kind == "gaze"]
        if not by_hand:
            continue
        _check_one_file(by_hand, who, video_id)
        # Time that was coded may be said for all people of the file.
        stated = [
            c for c in codes if c.kind == "coded" and c.source == by_hand[0].source and c.participant in ("", who)
        ]
        coded = _recording(by_hand, _spans(stated) if stated else whole, is_known=bool(stated), child=child)
        known = _spans([code for code in tracked if code.kind == "coded"])
        derived = _recording([c for c in tracked if c.kind == "gaze"], intersection(known, whole), True, child)
        found[who] = coded, derived
    return found


def _check_one_file(codes: Sequence[Code], who: str, video_id: str) -> None:
    sources = sorted({code.source for code in codes})
    if len(sources) > 1:
        raise InputDataError(
            "Several files code the looks of one person.",
            expected="one file of coded looks beside the eye tracker",
            found=", ".join(sources),
            where=f"{video_id}, {who}",
            fix="compare coders with each other first: visionllm agree FILE FILE",
        )


def _recording(codes: Sequence[Code], coded: Intervals, is_known: bool, child: str) -> CodedRecording:
    looks = [Interval(code.begin_s, code.end_s, _target(code.label)) for code in codes if _target(code.label) != AWAY]
    return CodedRecording({"looks": sort_intervals(looks)}, coded, is_known, child)


def _target(label: str) -> str:
    return label.strip().casefold().replace("_", " ")


def _spans(codes: Sequence[Code]) -> Intervals:
    return union(as_intervals([(code.begin_s, code.end_s) for code in codes]))


def _processed(store: Store, video_id: str) -> Intervals:
    frames = store.frames(video_id)
    begin, length = frames["timestamp_s"].to_numpy(), frames["duration_s"].to_numpy()
    processed = frames["processed"].to_numpy(zero_copy_only=False)
    return union(np.stack([begin, begin + length], axis=1)[processed])
