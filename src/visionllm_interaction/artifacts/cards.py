"""A data card and a model card of a run, from its manifests: nothing in them is typed by hand, and no file is named.

Sources: Gebru et al., Datasheets for Datasets, 2021; Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import (
    DataManifest,
    TrainingManifest,
    TrainingReport,
    ValidationReport,
)
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

DATA_CARD, MODEL_CARD = "data_card.md", "model_card.md"
DATA_QUESTIONS = (
    "who was filmed, how they were found, and what they or their parents agreed to",
    "where and with which cameras, and over which period",
    "who labelled, by which instructions, and how well two of them agree",
    "who may use the data, for what, and until when",
)
MODEL_QUESTIONS = (
    "what the detector is for, and what it must not be used for",
    "for whom it works worse: ages, skin tones, clothes, rooms, cameras",
    "who answers questions about it",
)


@dataclass(frozen=True)
class Cards:
    """The cards of a run.

    Attributes:
        data: the data card, Markdown.
        model: the model card, Markdown; ``None`` where nothing was trained.
    """

    data: str
    model: str | None

    def write(self, folder: StrPath) -> tuple[Path, ...]:
        """Write the cards.

        Args:
            folder: where; it is made if needed.

        Returns:
            The files.
        """
        texts = {DATA_CARD: self.data, MODEL_CARD: self.model}
        written = {Path(folder) / name: text for name, text in texts.items() if text is not None}
        for path, text in written.items():
            write_file(path, text.encode())
        return tuple(written)


def make_cards(path: StrPath) -> Cards:
    """The cards of a run.

    Args:
        path: the run, or any file in it.

    Returns:
        A data card, and a model card if a detector was trained.

    Raises:
        ManifestError: if it is no run, or stages 1–3 are not complete.
    """
    run = run_of(Path(path)) or Path(path)
    if not (run / STAGE_MANIFESTS["transform"]).is_file():
        raise ManifestError(
            "There is nothing to make cards of.",
            expected="a run in which stages 1-3 are complete, or a file of it",
            found="no " + STAGE_MANIFESTS["transform"],
            where=str(run),
            fix="visionllm run, or visionllm transform",
        )
    trained = run / STAGE_MANIFESTS["train"]
    return Cards(_data_card(run), _model_card(run, trained) if trained.is_file() else None)


def _data_card(run: Path) -> str:
    data = DataManifest.load(run / STAGE_MANIFESTS["ingest"])
    report = ValidationReport.load(run / STAGE_MANIFESTS["validate"])
    training = TrainingManifest.load(run / STAGE_MANIFESTS["transform"])
    origin = data.source.kind if data.source else "folder"
    splits = [(split, counts.images, counts.annotations) for split, counts in training.counts.items()]
    found = [(code, count) for code, count in sorted(report.faults.items()) if count]
    changes = [(c.split, c.action, c.code, c.count) for c in training.changes]
    return _card(
        f"Data card: {data.dataset_name}",
        _facts(
            {
                "format": data.dataset_format,
                "came as": origin,
                "raw files": f"{data.files}, {data.total_bytes / 1e6:.1f} MB",
                "digest of all raw files": data.tree_sha256 or "not taken",
                "ingested": data.created_at,
                "package": data.package_version,
            }
        ),
        "## What training reads",
        _table(("split", "images", "annotations"), splits),
        "Categories: " + ", ".join(f"{c.name} ({c.category_id})" for c in training.categories) + ".",
        "## Groups of images",
        _table(("group", "images that have one"), sorted(data.groups.get("with_value", {}).items()))
        or "No image says which child, household, session or camera it is of.",
        "## Validation",
        f"Status: {report.status}.",
        _table(("issue", "count"), found) or "No issue was found.",
        "## What was changed",
        _table(("split", "action", "issue", "count"), changes) or "Nothing.",
        "## What train and val share",
        _leakage(training.leakage),
        _open(DATA_QUESTIONS),
    )


def _model_card(run: Path, path: Path) -> str:
    report = TrainingReport.load(path)
    training = TrainingManifest.load(run / STAGE_MANIFESTS["transform"])
    model = report.config.get("model", {})
    settings = report.config.get("train", {})
    outputs = [
        (Path(o.path).name, f"{o.bytes / 1e6:.1f} MB", o.sha256) for o in report.outputs if _is_checkpoint(o.path)
    ]
    return _card(
        f"Model card: {model.get('architecture', 'detector')}",
        _facts(
            {
                "trained": report.created_at,
                "began from": _weights(str(model.get("weights"))),
                "package": report.package_version,
                "digest of the code": report.code_version,
                "libraries": ", ".join(f"{name} {version}" for name, version in (report.libraries or {}).items()),
                "training manifest": sha256_file(run / STAGE_MANIFESTS["transform"]),
                "images": ", ".join(f"{split} {counts.images}" for split, counts in training.counts.items()),
                "best epoch": str(report.best_epoch),
                "seconds of training": f"{report.duration_s:.0f}",
            }
        ),
        _table(("file", "size", "sha256"), outputs),
        "Detects: " + ", ".join(c.name for c in training.categories) + ".",
        "## On the validation split",
        _table(("metric", "value"), [(name, f"{value:.3f}") for name, value in report.metrics.items() if value >= 0]),
        "The best epoch was chosen on this split, so that these figures are a little too good.",
        "## Settings",
        _table(("setting", "value"), [(key, settings[key]) for key in sorted(settings)]),
        _open(MODEL_QUESTIONS),
    )


def _is_checkpoint(path: str) -> bool:
    return path.endswith((".pt", ".safetensors"))


def _weights(given: str) -> str:
    """What is known of the initial weights; a path or address stays out."""
    return given if given in ("default", "backbone", "none") else "a file of ours"


def _leakage(audit: Mapping[str, Any]) -> str:
    if not audit:
        return "It was not looked for."
    found = [("the same file", audit["same_file"]["shared"])]
    found += [(f"the same {column}", group["shared"]) for column, group in audit["groups"].items()]
    found += [(f"{code}, before the data was divided", count) for code, count in audit["found_by_stage_2"].items()]
    return f"Splits: {audit['splits']}.\n\n" + _table(("shared", "count"), found)


def _card(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"


def _facts(values: Mapping[str, str]) -> str:
    return "\n".join(f"* {name}: {value}" for name, value in values.items() if value)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    if not lines:
        return ""
    return "\n".join(f"| {line} |" for line in (" | ".join(head), " | ".join("---" for _ in head), *lines))


def _open(questions: Sequence[str]) -> str:
    asked = "\n".join(f"* {question}" for question in questions)
    return f"## What no manifest knows\n\nTo be answered by the people who made it:\n\n{asked}"
