"""Stage 3: data manifest + validation report → cleaned annotation files and ``training_manifest.yaml``."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import FileRef, file_refs, published_ref, relative_to_run, utc_now
from visionllm_interaction.artifacts.raw_file_index import read_index
from visionllm_interaction.artifacts.stage_manifests import (
    SPLITS,
    ChangeCount,
    DataManifest,
    SplitCounts,
    TrainingCategory,
    TrainingManifest,
    ValidationReport,
)
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.datasets.transformation import ALGORITHM_VERSION, LIBRARIES
from visionllm_interaction.datasets.transformation.box_orientation_evidence import (
    Turn,
    decide_turns,
    turn_records,
    without_void,
)
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor
from visionllm_interaction.datasets.transformation.editing.byte_index import CocoBytes
from visionllm_interaction.datasets.transformation.editing.change_log import RecordChange, write_changes
from visionllm_interaction.datasets.transformation.image_folders import ImagePlaces, place_images
from visionllm_interaction.datasets.transformation.image_groups import GroupedImage, list_grouped_images
from visionllm_interaction.datasets.transformation.leakage_audit import audit_leakage
from visionllm_interaction.datasets.transformation.move_between_splits import move_images, moved
from visionllm_interaction.datasets.transformation.repair import RepairState, apply_edits
from visionllm_interaction.datasets.transformation.requested_edits import edits_for, read_edits
from visionllm_interaction.datasets.transformation.taxonomy import (
    Contents,
    apply_taxonomy,
    expected_counts,
    names_of,
    read_back,
    require_conserved,
    require_same_meaning,
)
from visionllm_interaction.errors import AnnotationError, InputDataError, ManifestError, ValidationFailed
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.hashing import code_version, sha256_file
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath

MANIFEST_NAME = "training_manifest.yaml"
CHANGES_NAME = "changes.parquet"
FOLDER = "annotations"
_WRITTEN_AT_ONCE = 16 << 20
"""Bytes."""


@dataclass(frozen=True)
class StageInputs:
    """What stage 3 reads: the manifests, the raw files as they were read, and the edits of the policy carried out."""

    manifest: DataManifest
    report: ValidationReport
    inputs: tuple[FileRef, ...]
    states: Mapping[str, RepairState]
    turns: Mapping[str, Mapping[int, Turn]]

    @property
    def editors(self) -> dict[str, ByteEditor]:
        """Split → its file with the changes made so far."""
        return {split: state.editor for split, state in self.states.items()}

    @property
    def folders(self) -> dict[str, Path]:
        """Split → folder of its raw images."""
        return {split: Path(str(getattr(self.manifest.paths, f"{split}_images"))) for split in SPLITS}


def run(
    config: TransformConfig, *, data_manifest: StrPath, validation_report: StrPath, out: StrPath
) -> TrainingManifest:
    """Apply drops and repairs of the report, the taxonomy and the splits, and publish the result.

    Args:
        config: the settings of stage 3.
        data_manifest: the manifest of stage 1.
        validation_report: the report of stage 2.
        out: the stage folder to publish.

    Returns:
        The published manifest for training.

    Raises:
        ValidationFailed: if the report's status is not PASS.
        ManifestError: if manifest and report do not belong together, or the raw data changed since.
        AnnotationError: if an edit cannot be carried out, or the result would not be usable or not mean the same.
        ConfigError: if the taxonomy names categories that are not there.
        InputDataError: if the images cannot be divided as asked, or nothing tells on which image boxes were drawn;
            ``ImageError`` if one cannot be turned.
    """
    data_manifest = Path(data_manifest)
    validation_report = Path(validation_report)
    out = Path(out)
    started = time.monotonic()
    source = _read(config, data_manifest, validation_report, run=out.parent)
    apply_taxonomy(config.taxonomy, source.editors)
    require_same_meaning({split: names_of(editor).items() for split, editor in source.editors.items()})
    images = _divide(config, source, _turn_and_list(source, run=out.parent))
    with publish_folder(out) as partial:
        contents = _write_annotations(config, source, partial)
        places = place_images(images, raw=source.folders, divided=config.splits is not None, partial=partial, final=out)
        changes = [change for editor in source.editors.values() for change in editor.log]
        write_changes(changes, partial / CHANGES_NAME)
        training = _manifest(config, source, contents, images, places, changes, partial=partial, final=out)
        training = training.model_copy(update={"duration_s": round(time.monotonic() - started, 3)})
        training.save(partial / MANIFEST_NAME)
    return training


def cleaned_name(split: str) -> str:
    """File name of a split's cleaned annotations."""
    return f"instances_{split}2017.cleaned.json"


def _read(config: TransformConfig, data_manifest: Path, validation_report: Path, *, run: Path) -> StageInputs:
    manifest, report = DataManifest.load(data_manifest), ValidationReport.load(validation_report)
    _require_pass(report, validation_report)
    inputs = list(file_refs([data_manifest, validation_report], run=run))
    _require_same(inputs[0], report)
    edits = read_edits(run / report.faults_file)
    merges_copies = report.config.get("actions", {}).get("BOX-DUPLICATE") == "repair"
    states: dict[str, RepairState] = {}
    turns: dict[str, dict[int, Turn]] = {}
    for split in SPLITS:
        path = Path(str(getattr(manifest.annotations, split)))
        raw, content = _open(path, report, run=run)
        inputs.append(raw)
        editor = ByteEditor(split, content)
        mine = edits_for(split, edits, editor.source)
        folder = Path(str(getattr(manifest.paths, f"{split}_images")))
        said = None if config.exif_boxes == "evidence" else config.exif_boxes
        turns[split] = decide_turns(editor, mine, folder=folder, said=said)
        states[split] = apply_edits(editor, without_void(mine, editor, turns[split]), merges_copies=merges_copies)
        editor.source.set_aside()
    return StageInputs(manifest, report, tuple(inputs), states, turns)


def _open(path: Path, report: ValidationReport, *, run: Path) -> tuple[FileRef, CocoBytes]:
    """An annotation file as the report knows it."""
    try:
        raw = FileRef(path=relative_to_run(path, run), sha256=sha256_file(path), bytes=path.stat().st_size)
        _require_same(raw, report)
        return raw, CocoBytes.open(path)
    except OSError as error:
        raise InputDataError(
            "An annotation file cannot be read.", expected="a file", found=error.strerror, where=str(path)
        ) from error


def _turn_and_list(source: StageInputs, *, run: Path) -> dict[str, list[GroupedImage]]:
    """Bring records to the upright frame where the policy wants it; all images that are left, by split."""
    index = {file.path: file for file in read_index(run / source.manifest.index)}
    images = {}
    for split, state in source.states.items():
        turned = turn_records(state, source.turns[split])
        images[split] = list_grouped_images(state.editor, folder=source.folders[split], index=index, turned=turned)
    return images


def _divide(
    config: TransformConfig, source: StageInputs, images: dict[str, list[GroupedImage]]
) -> dict[str, list[GroupedImage]]:
    if config.splits is None:
        return images
    # Imported here and not above: SciPy takes half a second to load, and few runs divide anew.
    from visionllm_interaction.datasets.transformation.splits import choose_val

    everything = [image for listed in images.values() for image in listed]
    to_val = choose_val(config.splits, everything, source.editors)
    move_images(source.editors, everything, to_val, folders=source.folders)
    return moved(everything, to_val, folders=source.folders)


def _write_annotations(config: TransformConfig, source: StageInputs, partial: Path) -> dict[str, Contents]:
    """Write both files and read them back: what counts is what is on disk."""
    (partial / FOLDER).mkdir()
    contents = {}
    for split, editor in source.editors.items():
        target = partial / FOLDER / cleaned_name(split)
        _write_pieces(editor, target)
        contents[split] = read_back(target, where=str(getattr(source.manifest.annotations, split)))
    require_same_meaning({split: part.categories for split, part in contents.items()})
    require_conserved(expected_counts(config.taxonomy, list(source.editors.values())), contents.values())
    return contents


def _write_pieces(editor: ByteEditor, target: Path) -> None:
    """Write a changed file, with little of the original in memory at a time."""
    with target.open("wb") as stream:
        for piece in editor.pieces():
            for at in range(0, len(piece), _WRITTEN_AT_ONCE):
                stream.write(piece[at : at + _WRITTEN_AT_ONCE])
                if len(piece) > _WRITTEN_AT_ONCE:
                    editor.source.set_aside()
    editor.source.set_aside()


def _manifest(
    config: TransformConfig,
    source: StageInputs,
    contents: Mapping[str, Contents],
    images: Mapping[str, Sequence[GroupedImage]],
    places: ImagePlaces,
    changes: Sequence[RecordChange],
    *,
    partial: Path,
    final: Path,
) -> TrainingManifest:
    files = [*(partial / FOLDER / cleaned_name(split) for split in SPLITS), partial / CHANGES_NAME, *places.written]
    outputs = tuple(published_ref(path, partial=partial, final=final) for path in files)
    leaks = {code: count for code, count in source.report.faults.items() if code.startswith("LEAK-")}
    divided_by = None if config.splits is None else config.splits.group_by
    return TrainingManifest(
        stage="transform",
        created_at=utc_now(),
        duration_s=0.0,
        code_version=code_version(),
        algorithm_version=ALGORITHM_VERSION,
        libraries=library_versions(LIBRARIES),
        config=config.model_dump(mode="json"),
        inputs=source.inputs,
        outputs=outputs,
        images=places.folders,
        annotations={split: ref.path for split, ref in zip(SPLITS, outputs, strict=False)},
        categories=_categories(contents["train"]),
        counts={split: _counts(part) for split, part in contents.items()},
        annotations_per_category={split: dict(part.by_name) for split, part in contents.items()},
        dropped=_dropped(changes),
        changes_file=outputs[len(SPLITS)].path,
        changes=_summary(changes),
        unrepaired=_unrepaired(source.states),
        leakage=audit_leakage(images, faults=leaks, divided_by=divided_by),
    )


def _categories(content: Contents) -> tuple[TrainingCategory, ...]:
    try:
        categories = Categories.from_pairs(content.categories)
    except ValueError as error:
        raise AnnotationError(
            "The categories cannot be trained.",
            expected="one id and one name for each category",
            found=str(error),
            where="categories of train",
            fix="merge or rename them (transform.taxonomy), or correct them at their source (CAT-DUPLICATE-…)",
        ) from error
    return tuple(TrainingCategory(category_id=c.category_id, name=c.name, label=c.label) for c in categories)


def _counts(content: Contents) -> SplitCounts:
    return SplitCounts(images=content.images, annotations=content.annotations, categories=len(content.categories))


def _dropped(changes: Sequence[RecordChange]) -> dict[str, tuple[int, ...]]:
    """Annotations that the policy dropped, or merged into another; those of the taxonomy are in the table."""
    ids: dict[str, list[int]] = defaultdict(list)
    for change in changes:
        by_policy = change.action in ("drop", "repair") and change.field is None
        if by_policy and change.annotation_id is not None:
            ids[change.split].append(change.annotation_id)
    return {split: tuple(sorted(ids[split])) for split in SPLITS}


def _summary(changes: Sequence[RecordChange]) -> tuple[ChangeCount, ...]:
    counts = Counter((c.split, c.action, c.code, c.entity, c.field) for c in changes)
    return tuple(
        ChangeCount(split=split, action=action, code=code, entity=entity, field=field, count=count)
        for (split, action, code, entity, field), count in counts.items()
    )


def _unrepaired(states: Mapping[str, RepairState]) -> dict[str, dict[str, tuple[int, ...]]]:
    left = {s: {code: tuple(ids) for code, ids in state.left.items()} for s, state in states.items() if state.left}
    for split, codes in left.items():
        for code, ids in codes.items():
            log.warning("no one right repair, left as it is", split=split, code=code, ids=ids[:10])
    return left


def _require_pass(report: ValidationReport, path: Path) -> None:
    if report.status != "PASS":
        raise ValidationFailed(
            "Data that did not pass validation is not transformed.",
            expected="status PASS",
            found=f"status {report.status}: {'; '.join(report.reasons)}",
            where=str(path),
            fix="correct what the report lists at its source, or change the policy in config/schema.yaml",
        )


def _require_same(file: FileRef, report: ValidationReport) -> None:
    """The report speaks about ``file`` as it is now; ids of another version could name the wrong annotations."""
    seen = {ref.path: ref.sha256 for ref in report.inputs}
    if seen.get(file.path) != file.sha256:
        raise ManifestError(
            "A file is not the one the validation report was made from.",
            expected=f"sha256 {seen.get(file.path, 'of a file the report lists')}",
            found=f"sha256 {file.sha256}",
            where=file.path,
            fix="run stage 2 again",
        )
