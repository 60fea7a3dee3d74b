"""From the tracks of a video to its folder in the store: roles, relations, events, quality, the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from visionllm_interaction import __version__
from visionllm_interaction.analysis.analysis_task import AnalysisTask
from visionllm_interaction.analysis.bodies import (
    AnalysedBodies,
    hands_of,
    role_estimates,
    role_notes,
    with_estimates,
    with_holding_evidence,
)
from visionllm_interaction.analysis.inputs import AnalysisInputs
from visionllm_interaction.analysis.sampling_record import sampling_record, tracking_notes, weak_sightings
from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.core.bodies import BodyTables
from visionllm_interaction.core.detection_table import UNTRACKED, HeadTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.interactions.relations_and_events import find_interactions
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.sightings import seconds_in_view
from visionllm_interaction.store.video_record import ReturnGuess, RoleGuess, SourceFile, VideoRecord
from visionllm_interaction.utils.logs import log

if TYPE_CHECKING:
    from visionllm_interaction.core.bodies import RoleEstimate
    from visionllm_interaction.video.tracking.pipeline import TrackedVideo

_NOTED = ("av", "numpy", "pyarrow", "trackers")
"""Libraries whose versions a record names in any case; those that decide the result are added."""
_HEADER_FIELDS = (
    *("width", "height", "stored_width", "stored_height", "pixel_aspect", "rotation_deg", "mirrored"),
    *("header_fps", "time_base", "container", "codec", "stream"),
)


def publish_analysis(
    tracked: TrackedVideo,
    video_id: str,
    inputs: AnalysisInputs,
    *,
    job: AnalysisTask,
    bodies: AnalysedBodies | None,
    notes: tuple[str, ...],
) -> VideoRecord:
    """Work out what happens between the tracks of a video, and publish all of it in the store of ``job``.

    Args:
        tracked: its frames, detections and tracks.
        video_id: its id in the store.
        inputs: what they were made from.
        job: the settings of the analysis.
        bodies: faces, hands and poses; None: they were not looked for.
        notes: what is to be said of the analysis in the record.

    Returns:
        The record, as it is published.

    Raises:
        StoreError: if the store cannot be written.
    """
    from visionllm_interaction.video.quality.stretches import moving_camera_notes, quality_rows
    from visionllm_interaction.video.tracking.postprocess import summarise_tracks
    from visionllm_interaction.video.tracking.role_inference import guess_roles, with_proxies

    config = job.config
    known = summarise_tracks(tracked.detections, tracked.frames, roles=job.roles)
    size_px = (tracked.info.width, tracked.info.height)
    proxies = guess_roles(tracked.detections, known, size_px=size_px, config=config.video.roles)
    estimates: tuple[RoleEstimate, ...] = ()
    if bodies is not None and job.bodies is not None:
        estimates = role_estimates(bodies, tracked, known, proxies, job.bodies, config)
    tracks = with_estimates(known, estimates) if estimates else with_proxies(known, proxies)
    heads = _heads(tracked, inputs.heads, bodies)
    found = find_interactions(
        tracked.detections,
        tracked.frames,
        tracks,
        size_px=size_px,
        config=config.scenes,
        heads=heads,
        hands=None if bodies is None or job.bodies is None else hands_of(bodies, job.bodies),
    )
    relations, events = found.relations, found.events
    on_files = tuple(_notes_on_files(tracked, tracks, heads, inputs, job))
    quality = quality_rows(
        tracked.frames, tracked.image_quality, tracked.detections, image_px=size_px, config=config.video.quality
    )
    record = _record(tracked, video_id, tracks, inputs, job=job)
    guesses = {number: RoleGuess(role=p.role, confidence=p.confidence) for number, p in proxies.items()}
    in_view_s = seconds_in_view(tracked.detections, tracked.frames)
    about_camera = moving_camera_notes(quality, compensated=job.view == "ego")
    update: dict[str, object] = {
        "role_proxies": {} if estimates else guesses,
        "roles_estimated": bool(estimates),
        "heads": inputs.heads,
        "bodies": job.bodies.record(config) if job.bodies else None,
        "notes": (*record.notes, *notes, *on_files, *role_notes(tracks, estimates, in_view_s), *about_camera),
    }
    record = record.model_copy(update=update)
    tables: BodyTables | None = None
    if bodies is not None:
        tables = replace(with_holding_evidence(bodies, relations, tracked, tracks, config), roles=estimates)
    publish_video(
        job.store,
        record,
        frames=tracked.frames,
        detections=tracked.detections,
        tracks=tracks,
        relations=relations,
        events=events,
        bodies=tables,
        quality=quality,
    )
    for note in record.notes:
        log.warning("about the video", video_id=video_id, note=note)
    log.info("video analysed", video_id=video_id, tracks=len(tracks), relations=len(relations), events=len(events))
    return record


def _heads(tracked: TrackedVideo, given: SourceFile | None, bodies: AnalysedBodies | None) -> HeadTable | None:
    """Heads from a file, which is preferred, or from the faces that were found."""
    if given is None:
        return None if bodies is None else bodies.heads
    from visionllm_interaction.video.head_yaw.csv_file import load_heads

    return load_heads(Path(given.path), tracked.frames, scale=tracked.info.stored_to_square)


def _notes_on_files(
    tracked: TrackedVideo, tracks: Sequence[Track], heads: HeadTable | None, inputs: AnalysisInputs, job: AnalysisTask
) -> Iterator[str]:
    """What in the files of roles and heads is probably not what is meant."""
    from visionllm_interaction.video.head_yaw.csv_file import look_like_radians
    from visionllm_interaction.video.tracking.roles import unused_names

    if unused := unused_names(job.roles, tracked.categories, (track.track_id for track in tracks)):
        yield f"roles: no category or track is called {', '.join(unused)}"
    if inputs.heads is not None and heads is not None and look_like_radians(heads):
        yield "heads: no yaw is beyond 3.15, as of angles in radians; yaw_deg is in degrees"


def _record(
    tracked: TrackedVideo, video_id: str, tracks: Sequence[Track], inputs: AnalysisInputs, *, job: AnalysisTask
) -> VideoRecord:
    header = asdict(tracked.info)
    shared = {name: header[name] for name in _HEADER_FIELDS}
    return VideoRecord(
        video_id=video_id,
        source=inputs.source,
        **shared,
        fps=tracked.frames.mean_fps,
        duration_s=tracked.frames.length_s,
        n_frames=len(tracked.frames),
        n_processed=int(tracked.frames.processed.sum()),
        n_detections=int((~tracked.detections.interpolated).sum()),
        n_tracks=len(tracks),
        n_untracked=int((tracked.detections.track_id == UNTRACKED).sum()),
        sampling=sampling_record(tracked.frames),
        weak=weak_sightings(tracked.detections, tracked.frames),
        returns=tuple(ReturnGuess(**asdict(one)) for one in tracked.returns),
        view=job.view,
        detector=inputs.origin.model_copy(update={"categories": tracked.categories}),
        roles=dict(job.roles),
        notes=(*tracked.notes(), *tracking_notes(tracked.detections, tracked.frames, job.config.video.track)),
        config=job.config.model_dump(mode="json"),
        algorithms=dict(inputs.provenance.algorithms),
        versions={
            "visionllm-interaction": __version__,
            **library_versions(_NOTED),
            **inputs.provenance.libraries,
        },
        fingerprint=inputs.provenance.fingerprint(),
        created_at=utc_now(),
    )
