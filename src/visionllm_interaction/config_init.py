"""`visionllm init`: the shipped configuration files, to edit, with settings for a data set if one is named."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from visionllm_interaction.config import settings_schema
from visionllm_interaction.config_loading import shipped_config_dir
from visionllm_interaction.datasets.ingestion.propose import Proposal, Setting, propose
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.paths import StrPath

SCHEMA_FILE = "visionllm.schema.json"
"""The JSON Schema that `visionllm init` writes beside the configuration files, for editors."""
_EDITOR_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"


def write_config_files(folder: StrPath, *, data: StrPath | None = None) -> ConfigFiles:
    """Copy the shipped configuration files to ``folder``/config, with a schema for editors beside them.

    Existing files are left alone, except for the schema: it follows the program.

    Args:
        folder: where ``config/`` goes.
        data: a data set (folder, archive or annotation file) to look at; each setting it needs is written with its
            reason in a comment.

    Returns:
        What was written, what was there, and what was proposed for ``data``.

    Raises:
        UsageError: if ``data`` is given and the files it decides exist already.
        InputDataError: if there is no data set at ``data``, or one in a format that is not read.
    """
    target_folder = Path(folder) / "config"
    proposal = propose(Path(data)) if data else None
    if proposal:
        _refuse_existing(target_folder, {setting.file for setting in proposal.settings} | {"data"})
    written, kept = [], []
    for source in sorted(shipped_config_dir().glob("*.yaml")):
        target = target_folder / source.name
        if target.exists():
            kept.append(target)
            continue
        text = source.read_text(encoding="utf-8")
        for setting in proposal.settings if proposal else ():
            if setting.file == source.stem:
                text = _with_setting(text, setting)
        write_file(target, f"{_EDITOR_LINE}\n{text}".encode())
        written.append(target)
    schema = target_folder / SCHEMA_FILE
    content = (json.dumps(settings_schema(), indent=1, ensure_ascii=False) + "\n").encode()
    if schema.is_file() and schema.read_bytes() == content:
        kept.append(schema)
    else:
        write_file(schema, content)
        written.append(schema)
    return ConfigFiles(tuple(written), tuple(kept), proposal)


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """What :func:`write_config_files` did."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    """Files that were there already."""
    proposal: Proposal | None


def _refuse_existing(config_folder: Path, names: set[str]) -> None:
    there = [path for name in sorted(names) if (path := config_folder / f"{name}.yaml").exists()]
    if there:
        raise UsageError(
            "The configuration is there already.",
            expected="a folder without it, for what the data needs is written there",
            found=", ".join(map(str, there)),
            fix=f"remove {'it' if len(there) == 1 else 'them'}, or choose another folder: "
            "visionllm init FOLDER --data DIR",
        )


def _with_setting(text: str, setting: Setting) -> str:
    """``text`` with the value of one key replaced, and the reason in comments above it."""
    lines = text.splitlines()
    at, depth = _line_of(lines, setting.key)
    indent = "  " * depth
    value = yaml.safe_dump(setting.value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    missing = setting.key[depth:]
    if len(missing) > 1:
        # The parent is an empty mapping in flow style: it becomes a block.
        value = f"{{{missing[-1]}: {value}}}"
        inside = lines[at].partition(":")[2].strip().removeprefix("{").removesuffix("}").strip()
        value = f"{{{inside}, {value[1:]}" if inside else value
    reason = [f"{indent}# {line}" for line in textwrap.wrap(f"init: {setting.why}", 110)]
    lines[at : at + 1] = [*reason, f"{indent}{missing[0]}: {value}"]
    return "\n".join(lines) + "\n"


def _line_of(lines: Sequence[str], key: tuple[str, ...]) -> tuple[int, int]:
    """The line of the deepest part of ``key`` that stands in ``lines``, and how many parts are above it."""
    at, deepest = -1, 0
    begin = 0
    for depth, part in enumerate(key):
        indent = "  " * depth
        for number in range(begin, len(lines)):
            line = lines[number]
            if depth and line.strip() and len(line) - len(line.lstrip()) < len(indent) and not line.startswith("#"):
                break
            if line.startswith(f"{indent}{part}:"):
                at, deepest, begin = number, depth, number + 1
                break
        else:
            break
        if at < begin - 1 or deepest < depth:
            break
    return at, deepest
