"""The table of commands: module, function and one line of help. Importing it imports no command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple


class CommandEntry(NamedTuple):
    """The place of a command, and its line in `visionllm --help`."""

    module: str
    """The module: a name in this package, or a dotted name."""
    attribute: str
    """Its function, or a group of commands."""
    summary: str
    """The first line of the command's own help."""
    extra: str | None = None
    """The extra that brings what the command needs beyond the base installation."""
    short: bool = False
    """Whether it reads a store, prints one result and ends, without a model: its process is set up for that."""


ENTRY_POINTS = "visionllm.commands"
"""Group of entry points with which other packages add commands; each refers to a table like :data:`COMMANDS`."""


def added_commands() -> dict[str, CommandEntry]:
    """The commands of other packages, without those whose names this package uses.

    A package whose table cannot be used is left out with a warning that names it: the other commands must not suffer.
    """
    added: dict[str, CommandEntry] = {}
    for point in _entry_points():
        try:
            added |= _table(attrgetter(point.attribute)(import_module(point.module)))
        except (Exception, SystemExit) as error:  # noqa: BLE001  (code of somebody else)
            _warn(point, error)
    return {name: entry for name, entry in added.items() if name not in COMMANDS}


class _EntryPoint(NamedTuple):
    """What a distribution declares, and its name."""

    distribution: str
    module: str
    attribute: str


def _entry_points() -> Iterator[_EntryPoint]:
    """The entry points of the group, from the files that installers write beside each package.

    ``importlib.metadata`` gives the same, but importing it and reading all groups of all packages took a quarter of the
    time of ``visionllm --help``. The files have the form of the packaging guide's entry points specification.
    """
    seen: set[str] = set()
    for folder in sys.path:
        found: list[Path] = []
        with suppress(OSError):  # sys.path may name what is not there, and archives
            found = sorted(path for path in Path(folder).iterdir() if path.suffix in (".dist-info", ".egg-info"))
        for path in found:
            distribution = path.name.partition("-")[0].lower()
            if distribution in seen:  # the first on the path is the one that is imported
                continue
            seen.add(distribution)
            with suppress(OSError):
                yield from _read_group((path / "entry_points.txt").read_text(encoding="utf-8"), distribution)


def _read_group(text: str, distribution: str) -> Iterator[_EntryPoint]:
    group = ""
    for line in map(str.strip, text.splitlines() if ENTRY_POINTS in text else ()):
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif group == ENTRY_POINTS and "=" in line and not line.startswith(("#", ";")):
            module, _, attribute = line.partition("=")[2].partition("[")[0].partition(":")
            yield _EntryPoint(distribution, module.strip(), attribute.strip())


def _table(offered: object) -> dict[str, CommandEntry]:
    """What an entry point refers to, if it is a table of commands."""
    if not isinstance(offered, Mapping):
        raise TypeError(f"a table of commands is a mapping, not {type(offered).__name__}")
    for name, entry in offered.items():
        if not isinstance(name, str) or not isinstance(entry, CommandEntry):
            raise TypeError(f"the command {name!r} is not a CommandEntry")
    return dict(offered)


def _warn(point: _EntryPoint, error: BaseException) -> None:
    from visionllm_interaction.utils.logs import log

    owner = point.distribution.replace("_", "-")
    problem = f"{type(error).__name__}: {error}".removesuffix(": ")
    fix = f"upgrade or uninstall {owner}, or tell its authors"
    log.warning("the commands of a distribution are left out", distribution=owner, problem=problem, fix=fix)


COMMANDS: dict[str, CommandEntry] = {
    "init": CommandEntry(
        "data",
        "init",
        "Write config/*.yaml to edit, with every key explained; --data adds settings for a data set.",
    ),
    "config": CommandEntry(
        "config_commands", "config", "The configuration that a command would use, and its JSON Schema."
    ),
    "bundle": CommandEntry("machine", "bundle", "A folder that installs this program on a machine without a network."),
    "run": CommandEntry(
        "data",
        "run",
        "Stages 1-4: ingest, validate, transform, train. Skips what is up to date; a killed run continues.",
        extra="train",
    ),
    "ingest": CommandEntry(
        "data", "ingest", "Stage 1: ingest a COCO-style source into data_manifest.yaml. The raw data is only read."
    ),
    "validate": CommandEntry(
        "data",
        "validate",
        "Stages 1-2: check the data against the policy in config/schema.yaml, and write a report on PASS and FAIL.",
    ),
    "faults": CommandEntry(
        "data",
        "faults",
        "The catalogue of issues: meaning, example, harm, remedy and default policy of one code, or a list of all.",
    ),
    "transform": CommandEntry(
        "data", "transform", "Stages 1-3: write cleaned annotations and the training manifest.", extra="splits"
    ),
    "lineage": CommandEntry(
        "data",
        "lineage",
        "Trace an artifact back to the raw data and check every digest; a broken link exits with code 3.",
    ),
    "cards": CommandEntry("data", "cards", "Write a data card and a model card of a run, from its manifests."),
    "verify": CommandEntry(
        "data",
        "verify",
        "Hash every raw file again and compare it with the index of stage 1; any difference exits with code 3.",
    ),
    "train": CommandEntry("detection", "train", "Stage 4: train, after bringing stages 1-3 up to date.", extra="train"),
    "tune": CommandEntry(
        "detection",
        "tune",
        "Run an Optuna study over the keys in `tune:` and print the best values as overrides.",
        extra="train",
    ),
    "evaluate": CommandEntry(
        "detection",
        "evaluate",
        "The twelve COCO metrics; with --report also intervals, errors, calibration, slices and an HTML page.",
        extra="train",
    ),
    "export-model": CommandEntry(
        "detection",
        "export_model",
        "Export a checkpoint to another format and compare both on real images.",
        extra="export",
    ),
    "label": CommandEntry(
        "visionllm_interaction.cli.review.labelling",
        "label",
        "Which images to annotate next, their way to CVAT or Label Studio and back, and what it brought.",
        extra="label",
    ),
    "sync-tracking": CommandEntry(
        "detection",
        "sync_tracking",
        "Send the records that a tracking server missed while it was unreachable; exits with code 4 if it still is.",
        extra="train",
    ),
    "models": CommandEntry(
        "models",
        "models",
        "Models: ready-made ones listed, fetched, added; a version of your own promoted to the service.",
    ),
    "analyze": CommandEntry(
        "analysis",
        "analyze",
        "Analyse videos into tracks, relations and events in the store. A bad file never stops the others.",
        extra="video",
    ),
    "ledger": CommandEntry(
        "analysis",
        "ledger",
        "The state of every video to be analysed: done, failed, interrupted or running, with the reason.",
    ),
    "measures": CommandEntry(
        "analysis",
        "measures",
        "Compute every measure for every video (or session), subject and object, as one tidy table.",
        short=True,
    ),
    "query": CommandEntry(
        "questions",
        "query",
        "Compute a quantity, written in one line of the language of quantities, with its evidence.",
        short=True,
    ),
    "erase": CommandEntry("analysis", "erase", "Delete one video and all its results from the store."),
    "blur": CommandEntry(
        "analysis",
        "blur",
        "Copy a video with faces or people blurred and listed intervals black or silent; prove that it hides them.",
        extra="video",
    ),
    "heads": CommandEntry(
        "analysis", "heads", "Write heads and their directions, for `visionllm analyze --heads`.", extra="video"
    ),
    "export": CommandEntry(
        "import_export",
        "export",
        "Export results for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated video.",
        extra="video",
    ),
    "import": CommandEntry(
        "import_export", "import_", "Import codes from another program, so that measures can use them."
    ),
    "sync": CommandEntry(
        "import_export",
        "sync",
        "Find how a recording lies on a video's clock; what was imported from it moves along.",
        extra="video",
    ),
    "migrate": CommandEntry(
        "import_export", "migrate", "Migrate a store of an older version to the present one; nothing is analysed again."
    ),
    "copy": CommandEntry(
        "import_export",
        "copy",
        "Copy a store or a run's folder to an object store, or back: whole, and checked against its digests.",
        extra="s3",
    ),
    "serve": CommandEntry(
        "service", "serve", "Start the HTTP service and its web page; stop it with Ctrl-C.", extra="serve"
    ),
    "keys": CommandEntry("service", "keys", "API keys of the service."),
    "audit-log": CommandEntry(
        "service", "audit_log", "Show who saw, uploaded, exported, erased or changed what in the service."
    ),
    "submit": CommandEntry(
        "machine", "submit", "Train, tune or analyse as a job of a Slurm cluster; --dry-run shows the job."
    ),
    "doctor": CommandEntry(
        "machine", "doctor", "Check this machine: versions, GPU, codecs, endpoints, disk, plug-ins."
    ),
    "ask": CommandEntry(
        "questions",
        "ask",
        "Answer a question with numbers computed from the store, or refuse it with the reason.",
        extra="reason",
        short=True,
    ),
    "chat": CommandEntry(
        "questions",
        "chat",
        'Answer questions line by line; a question may lean on the one before ("and the book?", "how often?", "why?").',
    ),
    "describe": CommandEntry(
        "questions",
        "describe",
        "Tell what happens in a video, in sentences that each cite their evidence.",
        short=True,
    ),
    "replay": CommandEntry(
        "questions",
        "replay",
        "Compute every claim of an old answer again; exits with code 3 if one no longer holds.",
        short=True,
    ),
    "ground": CommandEntry(
        "questions", "ground", "Find the boxes and tracks in one frame that a phrase refers to.", short=True
    ),
    "look": CommandEntry(
        "questions",
        "look",
        "Ask a vision model a closed question about marked objects; needs `reason.look.enabled`.",
        extra="reason",
    ),
    "audit": CommandEntry(
        "validity",
        "audit",
        "Which frames or clips people label, their tasks, and the labels that come back.",
        extra="validity",
    ),
    "correct": CommandEntry(
        "validity",
        "correct",
        "Correct a measure by an audit: as detected, from people alone and corrected, always side by side.",
        extra="validity",
    ),
    "agree": CommandEntry(
        "validity",
        "agree",
        "Agreement of coders, people or models: kappa, alpha, precision and recall, onsets; per child first.",
        extra="validity",
    ),
    "corrections": CommandEntry(
        "visionllm_interaction.cli.review.corrections",
        "corrections",
        "Boxes, categories, roles, identities, bouts and events as people have corrected them.",
    ),
    "consent": CommandEntry(
        "visionllm_interaction.cli.review.consent_and_retention",
        "consent",
        "Consent for children, sessions and videos: exports stop where it was withdrawn, or is required and missing.",
    ),
    "retention": CommandEntry(
        "visionllm_interaction.cli.review.consent_and_retention",
        "retention",
        "How long the videos of a store are kept, and erasing those that are due.",
    ),
    "videos": CommandEntry("validity", "videos", "Covariates of videos: child, age, group, camera, light."),
    "roles": CommandEntry(
        "roles",
        "roles",
        "Roles of people: who is a child and who a caregiver, and corrections by somebody who looks.",
    ),
    "session": CommandEntry("sessions", "session", "Sessions: recordings of one visit on one clock, such as chapters."),
    "report": CommandEntry(
        "validity",
        "report",
        "Write what one can publish, as HTML and Markdown: sample, agreement, corrected results, limitations, methods.",
        extra="validity",
    ),
}
