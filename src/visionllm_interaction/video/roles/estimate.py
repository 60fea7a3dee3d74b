"""From what images show of people to roles: a calibrated probability of a child, and *unknown* where it says little.

One image gives a log-odds by a logistic regression on :data:`.FEATURES`; what is not seen adds nothing. A track's
log-odds is the trimmed mean over its images: a few odd images decide nothing, and many alike are no independent proof.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.bodies import FaceRow, PoseRow, RoleEstimate
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.video.config import RolesConfig
from visionllm_interaction.video.roles.proportions import FEATURES, PersonView, person_features
from visionllm_interaction.video.tracking.role_inference import CHILD_PROXY, RoleProxy

ALGORITHM_VERSION = 1
"""Raised by whoever changes what roles are estimated from the same tracks, poses and faces."""
_PARAMETERS = "parameters.json"
_TRIM = 0.1
"""Share of a track's images that is left out at either end before the mean."""
_SIZE_LOGIT = 1.0
"""Log-odds that a clear difference in size to somebody else at the same place adds; see docs/roles.md."""
_MOST_LOGIT = 30.0
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RoleModel:
    """A logistic regression on the features of one image.

    Attributes:
        mean: (F,) of the features.
        scale: (F,) their standard deviations.
        weights: (F,) of the standardised features.
        intercept: log-odds of a person of whom nothing is seen, where half of the people are children.
        limit: standardised features count up to this.
        child_share: share of children among those it was fitted on.
        look_weights: (528,) of the channels of a pose's look.
        look_intercept: of the look.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    intercept: float
    limit: float
    child_share: float
    look_weights: NDArray[np.float32]
    look_intercept: float

    def look(self, channels: NDArray[np.floating]) -> float:
        """How much a person looks like a child, all in all.

        Args:
            channels: (528,) of :class:`.Pose`.

        Returns:
            Log-odds, not calibrated by themselves.
        """
        return float(np.dot(channels, self.look_weights)) + self.look_intercept

    def logits(self, features: NDArray[np.float64]) -> Floats:
        """Log-odds that people are children where half of the people are.

        Args:
            features: (n, F), NaN where not seen.

        Returns:
            (n,); NaN where no feature is seen.
        """
        scores = np.clip((features - self.mean) / self.scale, -self.limit, self.limit)
        seen = ~np.isnan(scores)
        logits = self.intercept + np.where(seen, scores, 0.0) @ self.weights
        return np.where(seen.any(axis=1), logits, np.nan)


@cache
def read_role_model() -> RoleModel:
    """The model that ships with this package."""
    content = json.loads(resources.files(__package__).joinpath(_PARAMETERS).read_text(encoding="utf-8"))
    if tuple(content["features"]) != FEATURES:
        raise ValueError(f"{_PARAMETERS} is for other features: {content['features']}")
    mean, scale, weights = (np.array(content[name], np.float64) for name in ("mean", "scale", "weights"))
    look = content["look"]
    return RoleModel(
        mean=mean,
        scale=scale,
        weights=weights,
        intercept=float(content["intercept"]),
        limit=float(content["limit"]),
        child_share=float(content["child_share"]),
        look_weights=np.array(look["weights"], np.float32),
        look_intercept=float(look["intercept"]),
    )


def probability(logit: float, *, child_share: float) -> float:
    """The probability of a child.

    Args:
        logit: log-odds where half of the people are children.
        child_share: share of children among the people that may be seen.

    Returns:
        In (0, 1).
    """
    shifted = logit + math.log(child_share / (1.0 - child_share))
    return 1.0 / (1.0 + math.exp(-min(max(shifted, -_MOST_LOGIT), _MOST_LOGIT)))


def decide(logit: float, config: RolesConfig) -> str | None:
    """The role: ``child``, ``caregiver`` (an adult, as the setting says), or None where it is unknown."""
    if math.isnan(logit):
        return None
    child = probability(logit, child_share=config.child_share)
    if child >= config.min_probability:
        return "child"
    return config.adult if child <= 1.0 - config.min_probability else None


def estimate_roles(
    detections: DetectionTable,
    tracks: Sequence[Track],
    *,
    poses: Iterable[PoseRow],
    faces: Iterable[FaceRow],
    proxies: Mapping[int, RoleProxy],
    image_px: tuple[int, int],
    config: RolesConfig,
) -> list[RoleEstimate]:
    """Estimate the roles of the people in a video.

    Args:
        detections: tracked detections.
        tracks: all tracks.
        poses: found poses.
        faces: found faces, with ages where they were estimated.
        proxies: who is clearly smaller or larger than others, by track id (:func:`.guess_roles`).
        image_px: width and height of the images.
        config: thresholds.

    Returns:
        An estimate for each track of a person, by track id; with an unknown role where nothing, or too little, is seen.
    """
    people = [track.track_id for track in tracks if track.category in PERSON_CATEGORIES]
    views = _views(detections, set(people), poses, faces, image_px)
    model = read_role_model()
    estimates = []
    for track_id in people:
        own = views.get(track_id, [])
        features = np.array([person_features(view) for view in own], np.float64).reshape(-1, len(FEATURES))
        logits = model.logits(features)
        logits = logits[~np.isnan(logits)]
        logit = _trimmed_mean(logits) if len(logits) else math.nan
        evidence = [name for name, seen in _evidence(features) if seen]
        if track_id in proxies:
            size = _SIZE_LOGIT if proxies[track_id].role == CHILD_PROXY else -_SIZE_LOGIT
            logit = size if math.isnan(logit) else logit + size
            evidence.append("size")
        child = None if math.isnan(logit) else round(probability(logit, child_share=config.child_share), 4)
        estimates.append(RoleEstimate(track_id, decide(logit, config), child, len(logits), tuple(evidence)))
    return estimates


def _evidence(features: NDArray[np.float64]) -> Iterable[tuple[str, bool]]:
    seen = [not bool(np.isnan(column).all()) for column in features.T]
    yield "face", seen[0]
    yield "proportions", any(seen[1:-1])
    yield "look", seen[-1]


def _trimmed_mean(logits: NDArray[np.float64]) -> float:
    n = int(_TRIM * len(logits))
    return float(np.sort(logits)[n : len(logits) - n].mean())


def _views(
    detections: DetectionTable,
    people: set[int],
    poses: Iterable[PoseRow],
    faces: Iterable[FaceRow],
    image_px: tuple[int, int],
) -> dict[int, list[PersonView]]:
    """For each person the images in which a pose or a face of theirs was found."""
    pose_of = {(row.frame_index, row.track_id): row for row in poses if row.track_id in people}
    face_of = {(row.frame_index, row.track_id): row for row in faces if row.track_id in people}
    places = zip(detections.frame_index.tolist(), detections.track_id.tolist(), strict=True)
    wanted = pose_of.keys() | face_of.keys()
    rows = {place: n for n, place in enumerate(places) if place[1] != UNTRACKED and place in wanted}
    views: dict[int, list[PersonView]] = {}
    for place in sorted(wanted):
        if place not in rows:
            continue
        pose, face = pose_of.get(place), face_of.get(place)
        view = PersonView(
            detections.boxes_xyxy[rows[place]],
            image_px,
            points_xy=None if pose is None else pose.points_xy,
            visibility=None if pose is None else pose.visibility,
            pose_score=0.0 if pose is None else pose.confidence,
            face_xyxy=None if face is None else face.box_xyxy,
            age_years=math.nan if face is None else face.age_years,
            child_look=math.nan if pose is None else pose.child_look,
        )
        views.setdefault(place[1], []).append(view)
    return views
