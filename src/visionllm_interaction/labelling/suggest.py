"""Suggest the images to annotate next, and write them as tasks for CVAT and Label Studio."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.core.boxes import clip_boxes
from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.labelling.annotated_data import AnnotatedData, read_annotated_data
from visionllm_interaction.labelling.annotation_tasks import (
    IMAGES,
    AnnotationTask,
    DrawnBox,
    write_cvat,
    write_labelstudio,
)
from visionllm_interaction.labelling.candidates import (
    Candidate,
    GroupsOf,
    LeftOut,
    find_pool,
    read_frames,
    read_pool,
)
from visionllm_interaction.labelling.config import LabelConfig
from visionllm_interaction.labelling.image_features import has_feature_pyramid
from visionllm_interaction.labelling.scoring import ScoredImage, describe_images, label_weights, score_image
from visionllm_interaction.labelling.selection import Choice, choose, pool_scores
from visionllm_interaction.labelling.uncertainty import objects_of
from visionllm_interaction.utils.atomic_files import publish_folder, write_file
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath

RECORD_FILE, TABLE_FILE = "suggestions.json", "suggestions.csv"
CVAT_FOLDER, LABELSTUDIO_FOLDER = "cvat", "labelstudio"
_QUALITY = 95
_SIGNS = {
    "uncertainty": "unsure what it sees",
    "disagreement": "sees other things in the mirror image",
    "missed": "lacks boxes that the tracker expects",
}


@dataclass(frozen=True)
class Suggestion:
    """One image to annotate.

    Attributes:
        image: file name in the folder of suggestions.
        source: the image or video it is of.
        frame_index: the frame of a video, with its time ``timestamp_s`` in seconds.
        group: what it shares with other images of the pool.
        groups: household, child, session … as far as they are known.
        reason: why it was chosen, for people.
        values: score, novelty, and each sign as measured.
        sha256: of the image file in the folder of suggestions.
    """

    image: str
    source: str
    frame_index: int | None
    timestamp_s: float | None
    group: str
    groups: Mapping[str, str]
    reason: str
    values: Mapping[str, float | None]
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """As in ``suggestions.json``."""
        return {**self.__dict__, "groups": dict(self.groups), "values": dict(self.values)}


@dataclass(frozen=True)
class Suggestions:
    """What was suggested.

    Attributes:
        folder: where the images and tasks are.
        suggestions: best first.
        pool: number of images to choose from.
        left_out: number of images that are annotated or held out, and of videos without consent.
        groups: group → number of suggestions.
        features: what images were compared by: ``feature pyramid`` or ``thumbnail``.
        note: why there are fewer than asked for, if so.
    """

    folder: Path
    suggestions: tuple[Suggestion, ...]
    pool: int
    left_out: LeftOut
    groups: Mapping[str, int]
    features: str
    note: str | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm label suggest``."""
        return {
            "folder": str(self.folder),
            "pool": self.pool,
            "left_out": dict(self.left_out.__dict__),
            "groups": dict(self.groups),
            "features": self.features,
            "note": self.note,
            "suggestions": [one.to_dict() for one in self.suggestions],
        }


def suggest_images(
    source: StrPath,
    out: StrPath,
    *,
    detector: StrPath,
    data: StrPath | None = None,
    config: LabelConfig = LabelConfig(),
    groups_of: GroupsOf = lambda _name: {},
) -> Suggestions:
    """Choose the images that people should annotate next, and write tasks with the detector's boxes.

    Args:
        source: a folder with images, videos or both; an interaction store; or ``data`` itself, for the images in its
            folder of train that are not annotated.
        out: a new folder for the images, the list with the reason for each choice, and the tasks.
        detector: the detector that is to become better: a file, or the name of a ready-made model.
        data: a manifest of the run it was trained in: what is annotated, and what is held out and never suggested.
        config: section ``label``.
        groups_of: names child, household and session of a file, by its path below ``source``.

    Returns:
        What was suggested.

    Raises:
        InputDataError: if there is nothing to choose from, or ``out`` exists.
        ConsentMissing: if the source is a store, and consent for every video was withdrawn, or is required and not
            recorded; where it may be for some only, the others are left out.
        CheckpointError: if the detector is unusable.
        ImageError, VideoError: if an image or video cannot be decoded.
    """
    known = None if data is None else read_annotated_data(data)
    model = load_detector(detector)
    pool = find_pool(source, every_s=config.every_s, data=known, groups_of=groups_of)
    weights = label_weights(model, known.counts if known else {}, config)
    left_out = LeftOut(videos_without_consent=pool.without_consent)
    candidates: list[Candidate] = []
    scored: list[ScoredImage] = []
    for candidate, image in read_pool(pool, every_s=config.every_s, data=known, left_out=left_out):
        candidates.append(candidate)
        scored.append(score_image(model, image, config, weights))
    if not candidates:
        raise InputDataError(
            "All images of the pool are annotated or held out.",
            expected="images that nobody has annotated",
            found=f"{left_out.annotated} annotated, {left_out.held_out} held out",
            where=str(source),
        )
    signs = _signs(candidates, scored)
    choices = _choose(model, candidates, scored, signs, known, config)
    names = tuple(known.counts) if known else model.categories.names
    rows = [(candidates[one.index], scored[one.index], _reason(one, signs, scored, model)) for one in choices]
    final = Path(out)
    with publish_folder(final) as partial:
        _write_images([candidate for candidate, _, _ in rows], partial / IMAGES)
        suggestions = tuple(
            _suggestion(candidate, choice, reason, signs, partial / IMAGES)
            for choice, (candidate, _, reason) in zip(choices, rows, strict=True)
        )
        tasks = [_task(candidate, image, model, names, config) for candidate, image, _ in rows]
        found = Suggestions(
            final,
            suggestions,
            len(candidates),
            left_out,
            dict(Counter(one.group for one in suggestions).most_common()),
            "feature pyramid" if has_feature_pyramid(model) else "thumbnail",
            _note(len(choices), len(candidates), config),
        )
        _write(found, tasks, names, model, partial, about=_about(source, data, known, config))
    if found.note:
        log.warning("fewer images than asked for", note=found.note)
    return found


def _signs(candidates: Sequence[Candidate], scored: Sequence[ScoredImage]) -> dict[str, NDArray[np.float64]]:
    signs = {
        "uncertainty": np.array([one.uncertainty for one in scored], np.float64),
        "disagreement": np.array([one.disagreement for one in scored], np.float64),
    }
    if any(candidate.missed is not None for candidate in candidates):
        signs["missed"] = np.array([candidate.missed or 0 for candidate in candidates], np.float64)
    return signs


def _choose(
    model: Detector,
    candidates: Sequence[Candidate],
    scored: Sequence[ScoredImage],
    signs: Mapping[str, NDArray[np.float64]],
    known: AnnotatedData | None,
    config: LabelConfig,
) -> list[Choice]:
    annotated = None
    if known is not None and known.train and config.diversity > 0:
        images = (read_rgb(file.path) for file in known.train)
        annotated = describe_images(model, images, config).astype(np.float64)
    return choose(
        pool_scores(signs, config.weights.model_dump()),
        np.stack([one.features for one in scored]).astype(np.float64),
        [candidate.group for candidate in candidates],
        count=config.images,
        diversity=config.diversity,
        max_group_share=config.max_group_share,
        annotated=annotated,
    )


def _reason(
    choice: Choice, signs: Mapping[str, NDArray[np.float64]], scored: Sequence[ScoredImage], model: Detector
) -> str:
    """The signs by which the image stands out of the pool, strongest first."""
    shares = {name: float((values < values[choice.index]).mean()) for name, values in signs.items()}
    parts = []
    for name in sorted(shares, key=lambda one: -shares[one]):
        if shares[name] >= 0.5:
            doubted = scored[choice.index].least_certain
            what = f" ({model.categories.by_label[doubted[0]].name}? {doubted[1]:.2f})" if doubted else ""
            parts.append(
                f"{_SIGNS[name]}{what if name == 'uncertainty' else ''}, more than in {shares[name]:.0%} of the images"
            )
    if choice.novelty is not None and choice.novelty >= 0.5:
        parts.append(f"looks unlike the images annotated or chosen (distance {choice.novelty:.2f} of the largest)")
    return "; ".join(parts) or "next best of what the groups leave"


def _suggestion(
    candidate: Candidate, choice: Choice, reason: str, signs: Mapping[str, NDArray[np.float64]], folder: Path
) -> Suggestion:
    measured = {name: round(float(values[choice.index]), 4) for name, values in signs.items()}
    novelty = None if choice.novelty is None else round(choice.novelty, 4)
    return Suggestion(
        candidate.name,
        str(candidate.file),
        candidate.frame_index,
        candidate.timestamp_s,
        candidate.group,
        candidate.groups,
        reason,
        {"score": round(choice.score, 4), "novelty": novelty, **measured},
        sha256_file(folder / candidate.name),
    )


def _task(
    candidate: Candidate, scored: ScoredImage, model: Detector, names: Sequence[str], config: LabelConfig
) -> AnnotationTask:
    """The boxes of at least the drawn confidence, one for each object; categories that the data lacks are left out."""
    width, height = scored.size
    found = scored.detections
    corners = clip_boxes(found.boxes_xyxy.astype(np.float64), width=width, height=height)
    boxes = []
    for one in objects_of(found):
        category = model.categories.by_label[int(found.labels[one.best])].name
        left, top, right, bottom = (float(value) for value in corners[one.best])
        sure = found.confidences[one.best] >= config.drawn_confidence
        if sure and category in names and right - left >= 1 and bottom - top >= 1:
            boxes.append(DrawnBox(category, float(found.confidences[one.best]), (left, top, right, bottom)))
    return AnnotationTask(candidate.name, width, height, tuple(boxes))


def _write_images(chosen: Sequence[Candidate], folder: Path) -> None:
    """Copy image files as they are, and write frames as JPEG."""
    folder.mkdir()
    for candidate in chosen:
        if candidate.frame_index is None:
            shutil.copyfile(candidate.file, folder / candidate.name)
    for candidate, image in read_frames([one for one in chosen if one.frame_index is not None]):
        Image.fromarray(image).save(folder / candidate.name, "JPEG", quality=_QUALITY)


def _note(chosen: int, pool: int, config: LabelConfig) -> str | None:
    if chosen == config.images:
        return None
    if chosen == pool:
        return f"the pool has {pool} images, {config.images} were asked for"
    return (
        f"{chosen} of {config.images}: no group may give more than {config.max_group_share:.0%} of them; "
        "raise label.max_group_share, or add videos of other children"
    )


def _about(source: StrPath, data: StrPath | None, known: AnnotatedData | None, config: LabelConfig) -> dict[str, Any]:
    return {
        "made_by": f"visionllm-interaction {__version__}",
        "created_at": utc_now(),
        "source": str(Path(source).absolute()),
        "data": None if data is None else str(Path(data).absolute()),
        "data_tree_sha256": known.manifest.tree_sha256 if known else None,
        "config": config.model_dump(mode="json"),
    }


def _write(
    found: Suggestions,
    tasks: Sequence[AnnotationTask],
    names: Sequence[str],
    model: Detector,
    folder: Path,
    *,
    about: Mapping[str, Any],
) -> None:
    for place in (CVAT_FOLDER, LABELSTUDIO_FOLDER):
        (folder / place).mkdir()
    name = found.folder.name
    write_cvat(tasks, names, folder / CVAT_FOLDER, name=name)
    version = f"{model.name} {model.digest[:12]}"
    write_labelstudio(tasks, names, folder / LABELSTUDIO_FOLDER, name=name, model=version)
    detector = {"name": model.name, "sha256": model.digest}
    record = {**about, "detector": detector, "categories": list(names), **found.to_dict()}
    write_file(folder / RECORD_FILE, json.dumps(record, indent=1, ensure_ascii=False).encode())
    write_file(folder / TABLE_FILE, _table(found.suggestions).encode())


def _table(suggestions: Sequence[Suggestion]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    signs = list(suggestions[0].values)
    writer.writerow(["rank", "image", "group", "source", "frame_index", "timestamp_s", *signs, "reason"])
    for rank, one in enumerate(suggestions, start=1):
        values = ["" if one.values[name] is None else one.values[name] for name in signs]
        place = ["" if value is None else value for value in (one.frame_index, one.timestamp_s)]
        texts = [to_cell(text) for text in (one.image, one.group, one.source)]
        writer.writerow([rank, *texts, *place, *values, to_cell(one.reason)])
    return stream.getvalue()
