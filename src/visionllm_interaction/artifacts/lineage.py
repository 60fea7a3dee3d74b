"""The lineage of an artifact: the chain of stages back to the raw data, with every digest checked.

Each stage's manifest lists the files that the stage read and wrote, with their digests. An output of one stage is an
input of the next, so a digest is confirmed by the stage that wrote the file and by each that read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, FileRef, Manifest
from visionllm_interaction.artifacts.raw_file_index import full_changes, read_index
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.artifacts.staleness import DigestCache
from visionllm_interaction.errors import LineageError, ManifestError
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

RAW = "raw data"
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A file that differs from a manifest: ``producer`` wrote it, ``consumer`` recorded what was expected."""

    file: str
    producer: str
    consumer: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.producer} → {self.consumer}: {self.file}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class LineageStep:
    """One stage of the chain, with its manifest at ``path`` (relative to the run folder)."""

    stage: str
    path: str
    sha256: str
    created_at: str
    algorithm_version: int
    code_version: str
    package_version: str
    status: str
    inputs: tuple[FileRef, ...]
    outputs: tuple[FileRef, ...]

    def to_dict(self) -> dict[str, JsonValue]:
        """The step in the JSON result of ``visionllm lineage``."""
        return {
            "stage": self.stage,
            "manifest": self.path,
            "sha256": self.sha256,
            "status": self.status,
            "created_at": self.created_at,
            "algorithm_version": self.algorithm_version,
            "code_version": self.code_version,
            "package_version": self.package_version,
            "inputs": [ref.model_dump() for ref in self.inputs],
            "outputs": [ref.model_dump() for ref in self.outputs],
        }


@dataclass(frozen=True)
class RawData:
    """The raw data at the end of the chain: its folder, number of files and size in bytes."""

    root: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Lineage:
    """A verified chain, from the artifact (first step) back to the raw data."""

    file: str
    sha256: str
    run: str
    steps: tuple[LineageStep, ...]
    raw: RawData

    def to_dict(self) -> dict[str, JsonValue]:
        """The JSON result of ``visionllm lineage``."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "run": self.run,
            "status": "verified",
            "chain": [*(step.stage for step in self.steps), RAW],
            "steps": [step.to_dict() for step in self.steps],
            "raw": asdict(self.raw),
        }

    def to_text(self) -> str:
        """The chain as an indented tree, the artifact at the top."""
        lines = [f"{self.file}", f"  sha256 {self.sha256}"]
        for depth, step in enumerate(self.steps):
            pad = "   " * depth
            lines.append(
                f"{pad}└─ {step.stage}  {step.status}  {step.created_at}"
                f"  algorithm {step.algorithm_version}  code {step.code_version}"
            )
            lines += [f"{pad}     wrote {_file_line(ref)}" for ref in step.outputs]
            lines += [f"{pad}     read  {_file_line(ref)}" for ref in step.inputs]
        pad = "   " * len(self.steps)
        lines.append(f"{pad}└─ {RAW}  {self.raw.files} files, {self.raw.bytes} bytes in {self.raw.root}")
        return "\n".join([*lines, "every digest verified"])


def _file_line(ref: FileRef) -> str:
    return f"{ref.path}  sha256 {ref.sha256[:12]}…  {ref.bytes} bytes"


def trace(file: StrPath) -> Lineage:
    """Follow an artifact back to the raw data; reads and hashes every file on the chain.

    Args:
        file: any artifact inside a run folder.

    Returns:
        The verified chain.

    Raises:
        LineageError: if ``file`` belongs to no run, or a file on the chain differs from a manifest. The message
            names each broken link with the digests expected and found.
    """
    file = Path(file)
    run = run_of(file)
    if run is None or not file.is_file():
        raise _not_an_artifact(file, "no such file" if run else "a file outside any run")
    relative = file.absolute().relative_to(run).as_posix()
    stage = _stage_of(relative)
    steps, broken = _walk(run, stage)
    raw, raw_broken = _check_raw(run, steps)
    broken += [link for link in raw_broken if link.file not in {known.file for known in broken}]
    if broken:
        raise _lineage_error(file, broken)
    known = {ref.path for ref in steps[0].outputs} | {steps[0].path}
    if relative not in known or raw is None:
        raise _not_an_artifact(file, f"a file that the manifest of {stage} does not list")
    return Lineage(str(file), sha256_file(file), str(run), steps, raw)


def _not_an_artifact(file: Path, found: str) -> LineageError:
    return LineageError(
        "This is not an artifact whose origin is known.",
        expected="a file in a stage folder of a run, for example artifacts/…/model_trainer/fasterrcnn_best.pt",
        found=found,
        where=str(file),
        fix="artifacts copied out of their run have lost their lineage; name the file inside the run",
    )


def _lineage_error(file: Path, broken: Sequence[BrokenLink]) -> LineageError:
    first = broken[0]
    listing = [str(link) for link in broken[:_SHOWN]]
    if len(broken) > _SHOWN:
        listing.append(f"and {len(broken) - _SHOWN} more")
    count = "A link is broken" if len(broken) == 1 else f"{len(broken)} links are broken"
    return LineageError(
        f"{count} between {file.name} and the raw data:\n  " + "\n  ".join(listing),
        expected=first.expected,
        found=first.found,
        where=first.file,
        fix="restore the file, or run the pipeline again to make artifacts of the data as it is now",
    )


def _stage_of(relative: str) -> str:
    folder = relative.split("/", 1)[0]
    return next(stage for stage, path in STAGE_MANIFESTS.items() if path.startswith(f"{folder}/"))


def _walk(run: Path, stage: str) -> tuple[tuple[LineageStep, ...], list[BrokenLink]]:
    """The steps from ``stage`` back to stage 1, following what each one read, and the broken links among them."""
    digests = DigestCache()
    steps: list[LineageStep] = []
    broken: list[BrokenLink] = []
    for name in _back_from(stage):
        if steps and not any(STAGE_MANIFESTS[name] == ref.path for step in steps for ref in step.inputs):
            continue  # no stage on the chain read this manifest
        try:
            manifest = Manifest.load(run / STAGE_MANIFESTS[name])
        except ManifestError as error:
            broken.append(BrokenLink(STAGE_MANIFESTS[name], name, name, "a readable manifest", str(error.found)))
            continue
        broken += _broken_links(run, manifest, digests)
        steps.append(_step(run, manifest, digests))
    return tuple(steps), _deduplicated(broken)


def _back_from(stage: str) -> list[str]:
    names = list(STAGE_MANIFESTS)
    return names[names.index(stage) :: -1]


def _step(run: Path, manifest: Manifest, digests: DigestCache) -> LineageStep:
    path = STAGE_MANIFESTS[manifest.stage]
    return LineageStep(
        stage=manifest.stage,
        path=path,
        sha256=str(digests.of(run / path)),
        created_at=manifest.created_at,
        algorithm_version=manifest.algorithm,
        code_version=manifest.code_version,
        package_version=manifest.package_version,
        status=manifest.status,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
    )


def _broken_links(run: Path, manifest: Manifest, digests: DigestCache) -> Iterator[BrokenLink]:
    stage, path = manifest.stage, STAGE_MANIFESTS[manifest.stage]
    content = manifest.content_digest()
    if manifest.content_sha256 not in (None, content):
        yield BrokenLink(path, stage, stage, f"content sha256 {manifest.content_sha256}", f"content sha256 {content}")
    for ref in manifest.outputs:
        if (found := digests.of(ref.resolve(run))) != ref.sha256:
            yield _link(ref.path, stage, _reader_of(stage), expected=ref.sha256, found=found)
    for ref in manifest.inputs:
        if (found := digests.of(ref.resolve(run))) != ref.sha256:
            yield _link(ref.path, _writer_of(ref), stage, expected=ref.sha256, found=found)


def _link(file: str, producer: str, consumer: str, *, expected: str | None, found: str | None) -> BrokenLink:
    return BrokenLink(file, producer, consumer, f"sha256 {expected}", f"sha256 {found}" if found else "no such file")


def _reader_of(stage: str) -> str:
    names = list(STAGE_MANIFESTS)
    return names[names.index(stage) + 1] if stage != names[-1] else "the artifact"


def _writer_of(ref: FileRef) -> str:
    return RAW if Path(ref.path).is_absolute() else _stage_of(ref.path)


def _deduplicated(broken: Sequence[BrokenLink]) -> list[BrokenLink]:
    """One entry per file and consumer, those nearest to the raw data first: the cause lies there."""
    seen: dict[tuple[str, str], BrokenLink] = {}
    for link in reversed(broken):
        seen.setdefault((link.file, link.consumer), link)
    return list(seen.values())


def _check_raw(run: Path, steps: Sequence[LineageStep]) -> tuple[RawData | None, list[BrokenLink]]:
    """Hash every raw file against the index of stage 1."""
    if not any(step.stage == "ingest" for step in steps):
        return None, []
    try:
        manifest = DataManifest.load(run / STAGE_MANIFESTS["ingest"])
        index = read_index(run / manifest.index)
    except ManifestError as error:
        return None, [BrokenLink(str(error.where), "ingest", "ingest", "a readable file", str(error.found))]
    broken = [
        _link(change.path, RAW, "ingest", expected=change.expected, found=change.found)
        for change in full_changes(index)
    ]
    return RawData(manifest.root, manifest.files, manifest.total_bytes), broken
