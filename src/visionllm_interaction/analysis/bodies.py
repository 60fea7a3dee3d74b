"""Faces, hands and poses in the analysis of one video: which models, what is found, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.core.bodies import BODY_KINDS, BodyKind, BodyTables, HandRow
from visionllm_interaction.core.detection_table import HeadTable
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interactions.hand_contact import holding_evidence
from visionllm_interaction.interactions.head_direction import heads_of_faces
from visionllm_interaction.interactions.postures import find_postures, held_in, posture_of
from visionllm_interaction.store.video_record import BodiesRecord
from visionllm_interaction.utils.hashing import sha256_file

if TYPE_CHECKING:
    from visionllm_interaction.core.bodies import RoleEstimate
    from visionllm_interaction.video.bodies.estimator import BodyEstimator, BodyModels
    from visionllm_interaction.video.tracking.pipeline import TrackedVideo
    from visionllm_interaction.video.tracking.role_inference import RoleProxy

PEOPLE: Final = "people"
KINDS: Final = (PEOPLE, *BODY_KINDS)
"""What ``--models`` can name."""


@dataclass(frozen=True)
class BodyTask:
    """The models that look for faces, hands and poses; their networks are loaded on first use, once.

    Attributes:
        models: their files.
    """

    models: BodyModels

    @cached_property
    def digests(self) -> dict[str, str]:
        """Name of each file → its sha256."""
        return {path.name: sha256_file(path) for path in self.models.files()}

    def estimator(self, config: AnalysisConfig) -> BodyEstimator:
        """The networks."""
        from visionllm_interaction.video.bodies.estimator import BodyEstimator

        if config.video.bodies not in self._estimators:
            self._estimators[config.video.bodies] = BodyEstimator(self.models, config=config.video.bodies)
        return self._estimators[config.video.bodies]

    @cached_property
    def _estimators(self) -> dict[Any, BodyEstimator]:
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Networks stay on their machine; another one loads its own.
        return BodyTask, (self.models,)

    def record(self, config: AnalysisConfig) -> BodiesRecord:
        """What the store notes about it."""
        return BodiesRecord(finds=self.models.finds, models=self.digests, per_s=config.video.bodies.per_s)


def parse_kinds(text: str) -> tuple[str, ...]:
    """The kinds in a list such as ``people,hands,faces,pose``.

    Args:
        text: kinds with commas between them.

    Returns:
        The kinds, in the order of :data:`KINDS`.

    Raises:
        UsageError: if one is not known.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    strange = [name for name in names if name not in KINDS]
    if strange or not names:
        raise UsageError(
            "It is not known what to look for.",
            expected=f"of {', '.join(KINDS)}, with commas between them",
            found=", ".join(strange) or "nothing",
            where="--models",
        )
    return tuple(kind for kind in KINDS if kind in names)


def find_models(kinds: Sequence[str] | None) -> BodyTask | None:
    """The models for faces, hands and poses on this machine.

    Args:
        kinds: what to look for, all of it; None: whatever there are models for.

    Returns:
        Their files; None: nothing is looked for.

    Raises:
        ModelMissing: if a model of ``kinds`` is not on this machine; the message is what to type.
    """
    # Imported here so that an analysis without bodies reads no list of models and needs no networks.
    from visionllm_interaction.video.bodies.estimator import BodyModels

    files: dict[str, Path] = {}
    for kind in BODY_KINDS if kinds is None else [kind for kind in BODY_KINDS if kind in kinds]:
        files |= _files_of(kind, needed=kinds is not None)
    return BodyTask(BodyModels(**files)) if files else None


def _files_of(kind: BodyKind, *, needed: bool) -> Mapping[str, Path]:
    from visionllm_interaction.detection.registry.defaults import resolve, resolve_kind
    from visionllm_interaction.errors import ModelMissing

    try:
        if kind == "pose":
            return {"pose": resolve_kind("pose", parts=["landmarks"])["landmarks"]}
        if kind == "hands":
            found = resolve_kind("hands")
            return {"palms": found["detector"], "hands": found["landmarks"]}
        # The detector beside the landmarks is the one whose points they are placed by.
        landmarks = resolve_kind("faces", parts=["landmarks"])["landmarks"]
        files = {"face_detector": resolve("mediapipe_face_detection"), "face_landmarks": landmarks}
        return {**files, **_age_model()}
    except ModelMissing:
        if needed:
            raise
        return {}


def _age_model() -> Mapping[str, Path]:
    """The age predictor, if it is on this machine: roles are estimated without it as well, less surely."""
    from visionllm_interaction.detection.registry.defaults import resolve_kind
    from visionllm_interaction.errors import ModelMissing

    try:
        return {"face_age": resolve_kind("faces", parts=["age"])["age"]}
    except ModelMissing:
        return {}


@dataclass(frozen=True)
class AnalysedBodies:
    """What was found of the bodies in one video, before relations are known.

    Attributes:
        tables: hands, faces, poses, postures.
        heads: of tracked people, for *facing*; None: faces were not looked for.
        n_frames: frames that were looked at.
    """

    tables: BodyTables
    heads: HeadTable | None
    n_frames: int


def analyse_bodies(
    path: Path,
    tracked: TrackedVideo,
    task: BodyTask,
    config: AnalysisConfig,
    *,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> AnalysedBodies:
    """Look for faces, hands and poses of the tracked people of a video.

    Args:
        path: the video file.
        tracked: its tracks.
        task: the models.
        config: settings.
        progress: called with the frames read and the frames expected.

    Returns:
        What was found.
    """
    from visionllm_interaction.video.bodies.find_bodies import find_bodies
    from visionllm_interaction.video.roles.estimate import read_role_model

    found = find_bodies(
        path,
        task.estimator(config),
        tracked.detections,
        tracked.frames,
        posture_of=posture_of,
        look_of=read_role_model().look,
        config=config.video.bodies,
        decode=config.video.decode,
        progress=progress,
    )
    poses = [
        replace(row, posture="held") if held_in(tracked.detections, row.frame_index, row.track_id) else row
        for row in found.poses
    ]
    heads = heads_of_faces(found.faces) if "faces" in task.models.finds else None
    tables = BodyTables(
        hands=tuple(found.hands),
        faces=tuple(found.faces),
        poses=tuple(poses),
        postures=tuple(find_postures(poses, tracked.frames)),
    )
    return AnalysedBodies(tables, heads, found.n_frames)


def hands_of(found: AnalysedBodies, task: BodyTask) -> Sequence[HandRow] | None:
    """The hands that were found; None: they were not looked for."""
    return found.tables.hands if "hands" in task.models.finds else None


def role_estimates(
    found: AnalysedBodies,
    tracked: TrackedVideo,
    tracks: Sequence[Track],
    proxies: Mapping[int, RoleProxy],
    task: BodyTask,
    config: AnalysisConfig,
) -> tuple[RoleEstimate, ...]:
    """Who is a child and who an adult, as far as faces or poses were looked for and the settings ask for it."""
    from visionllm_interaction.video.roles.estimate import estimate_roles

    if not config.video.roles.estimate or not {"faces", "pose"} & set(task.models.finds):
        return ()
    return tuple(
        estimate_roles(
            tracked.detections,
            tracks,
            poses=found.tables.poses,
            faces=found.tables.faces,
            proxies=proxies,
            image_px=(tracked.info.width, tracked.info.height),
            config=config.video.roles,
        )
    )


def with_estimates(tracks: Sequence[Track], estimates: Sequence[RoleEstimate]) -> list[Track]:
    """Tracks with estimated roles where none was given."""
    roles = {one.track_id: one.role for one in estimates}
    return [replace(t, role=roles[t.track_id]) if t.role is None and t.track_id in roles else t for t in tracks]


def role_notes(
    tracks: Sequence[Track], estimates: Sequence[RoleEstimate], in_view_s: Mapping[int, float]
) -> tuple[str, ...]:
    """A note where the role of somebody could not be estimated.

    Args:
        tracks: the tracks with their roles.
        estimates: of the people whose role was looked for.
        in_view_s: track id → seconds for which it is in view.

    Returns:
        One note, or none.
    """
    people = {one.track_id for one in estimates}
    unknown = [track for track in tracks if track.track_id in people and track.role is None]
    if not unknown:
        return ()
    seconds = sum(in_view_s.get(track.track_id, 0.0) for track in unknown)
    fix = "visionllm roles review shows them"
    return (f"it is not known of {len(unknown)} of {len(people)} people ({seconds:.1f} s) who is a child: {fix}",)


def with_holding_evidence(
    found: AnalysedBodies,
    relations: Sequence[Relation],
    tracked: TrackedVideo,
    tracks: Sequence[Track],
    config: AnalysisConfig,
) -> BodyTables:
    """The tables, with what each bout of *holding* rests on."""
    hands = found.tables.hands
    rows = holding_evidence(relations, hands, tracked.detections, tracked.frames, tracks, config=config.scenes)
    return replace(found.tables, holdings=tuple(rows))
