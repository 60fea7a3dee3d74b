"""Every command: where it is and what it does, in one line. Importing this table imports no command."""

from __future__ import annotations

from typing import NamedTuple


class CommandEntry(NamedTuple):
    """Where a command is found, and its line in `visionllm --help`."""

    module: str
    """The module: a name in this package, or a dotted one."""
    attribute: str
    """Its function, or its group of commands."""
    summary: str
    """The first line of the command's own help."""


ENTRY_POINTS = "visionllm.commands"
"""Group of the entry points by which other packages add commands: each names a table like :data:`COMMANDS`."""


def added_commands() -> dict[str, CommandEntry]:
    """The commands of other packages; none may take a name of this one."""
    # Imported here: it takes longer than everything else that `visionllm --version` does.
    from importlib.metadata import entry_points

    added: dict[str, CommandEntry] = {}
    for point in entry_points(group=ENTRY_POINTS):
        added |= point.load()
    return {name: entry for name, entry in added.items() if name not in COMMANDS}


COMMANDS: dict[str, CommandEntry] = {
    "init": CommandEntry(
        "data", "init", "Write config/*.yaml to edit, every key explained; existing files are left alone."
    ),
    "config": CommandEntry(
        "configuring", "config", "The configuration: what a command would use, and its JSON Schema."
    ),
    "run": CommandEntry(
        "data",
        "run",
        "Stages 1-4: ingest, validate, transform, train. What is up to date is skipped; a killed run continues.",
    ),
    "ingest": CommandEntry(
        "data", "ingest", "Stage 1: a COCO-style source → data_manifest.yaml. The raw data is only read."
    ),
    "validate": CommandEntry(
        "data",
        "validate",
        "Stages 1-2: check everything against the policy in config/schema.yaml; report written on PASS and FAIL.",
    ),
    "faults": CommandEntry(
        "data",
        "faults",
        "The catalogue of faults: meaning, example, harm, remedy and shipped policy; of one code, or the list of all.",
    ),
    "transform": CommandEntry("data", "transform", "Stages 1-3: cleaned annotations and the training manifest."),
    "lineage": CommandEntry(
        "data",
        "lineage",
        "The chain from an artifact back to the raw data, every digest checked; a broken link ends with exit 3.",
    ),
    "verify": CommandEntry(
        "data",
        "verify",
        "Hash every raw file again and compare with what stage 1 wrote down; any difference ends with exit 3.",
    ),
    "train": CommandEntry("training", "train", "Stage 4, with the stages before it brought up to date first."),
    "tune": CommandEntry(
        "training", "tune", "An Optuna study over the keys in `tune:`; the best values are printed as overrides."
    ),
    "evaluate": CommandEntry(
        "training",
        "evaluate",
        "The twelve COCO figures; with --report also intervals, errors, calibration, slices and a page.",
    ),
    "export-model": CommandEntry(
        "training", "export_model", "A checkpoint in another format, compared with the original on real images."
    ),
    "sync-tracking": CommandEntry(
        "training", "sync_tracking", "Deliver what a tracking server missed while it was away; exit 4 if it still is."
    ),
    "analyze": CommandEntry(
        "analysis",
        "analyze",
        "Videos → tracks, relations and events in the store. One bad file never stops the others.",
    ),
    "ledger": CommandEntry(
        "analysis",
        "ledger",
        "What became of every video that was to be analysed: done, failed and why, or begun and never ended.",
    ),
    "measures": CommandEntry(
        "analysis", "measures", "Every measure of the catalogue for every video, subject and object, as one tidy table."
    ),
    "erase": CommandEntry("analysis", "erase", "Delete one video and everything known about it from the store."),
    "blur": CommandEntry(
        "analysis",
        "blur",
        "A copy of a video in which faces or whole people are blurred, also where the detector missed them.",
    ),
    "heads": CommandEntry("analysis", "heads", "Heads and where they are turned, for `visionllm analyze --heads`."),
    "export": CommandEntry(
        "stores",
        "export",
        "Write what is known of each video for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated film.",
    ),
    "import": CommandEntry(
        "stores", "import_", "Add what people coded in another program to a video, so that measures can use it."
    ),
    "migrate": CommandEntry(
        "stores", "migrate", "Bring a store of an older version up to this one; nothing is analysed again."
    ),
    "serve": CommandEntry("service", "serve", "The HTTP service and its page; stop it with Ctrl-C."),
    "keys": CommandEntry("service", "keys", "API keys of the service."),
    "doctor": CommandEntry(
        "service", "doctor", "Check this machine: versions, GPU, codecs, endpoints, disk, plug-ins."
    ),
    "ask": CommandEntry(
        "questions",
        "ask",
        "A question → an answer whose every number was computed from the store, or an honest refusal.",
    ),
    "replay": CommandEntry(
        "questions",
        "replay",
        "Compute every claim of an old answer again: does it still hold? Exit code 3 if one does not.",
    ),
    "ground": CommandEntry("questions", "ground", "A phrase → boxes and tracks in one frame, found by code."),
    "look": CommandEntry(
        "questions",
        "look",
        "A closed question to a vision model about marked things; only if `reason.look.enabled` is set.",
    ),
}
