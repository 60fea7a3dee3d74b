"""Configuration files for `visionllm init`: the shipped ones, with settings for a data set if one is named."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

from visionllm_interaction.config import settings_schema
from visionllm_interaction.config_loading import shipped_config_dir
from visionllm_interaction.datasets.ingestion.propose_settings import Proposal, Setting, propose
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath

SCHEMA_FILE = "visionllm.schema.json"
"""The JSON Schema that `visionllm init` writes beside the configuration files, for editors."""
_EDITOR_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"


def write_config_files(folder: StrPath, *, data: StrPath | None = None) -> WrittenConfigFiles:
    """Copy the shipped configuration files to ``folder``/config, with a schema for editors beside them.

    Existing configuration files are kept. The schema belongs to the program and is written again if it differs.

    Args:
        folder: the parent of ``config``.
        data: a data set (folder, archive or annotation file) to examine. Each setting that it needs is written, with
            the reason in a comment.

    Returns:
        The files written, the files kept, and the settings for ``data``.

    Raises:
        UsageError: if ``data`` is given and files that it changes already exist.
        InputDataError: if there is no data set at ``data``, or its format is not supported.
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
    return WrittenConfigFiles(tuple(written), tuple(kept), proposal)


@dataclass(frozen=True, slots=True)
class WrittenConfigFiles:
    """The files that `visionllm init` wrote, the existing ones that it kept, and the settings for a data set."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    proposal: Proposal | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """The JSON result of ``visionllm init``."""
        result: dict[str, JsonValue] = {
            "written": [str(path) for path in self.written],
            "kept": [str(path) for path in self.kept],
        }
        if self.proposal:
            settings = {".".join(setting.key): setting.value for setting in self.proposal.settings}
            result["data"] = {"found": self.proposal.found, "settings": settings}
        return result


def _refuse_existing(config_folder: Path, names: set[str]) -> None:
    existing = [path for name in sorted(names) if (path := config_folder / f"{name}.yaml").exists()]
    if existing:
        raise UsageError(
            "The configuration already exists.",
            expected="a folder without these files, which get the settings for the data",
            found=", ".join(map(str, existing)),
            fix=f"remove {'it' if len(existing) == 1 else 'them'}, or choose another folder: "
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
    """The line of the deepest part of ``key`` that is in ``lines``, and the number of parts above it."""
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
