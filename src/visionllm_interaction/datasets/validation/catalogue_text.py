"""The catalogue for readers: one entry, the whole list, the page of the documentation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE, GROUPS, IssueType
from visionllm_interaction.errors import UsageError

_INTRODUCTION = """\
# The catalogue of faults

`visionllm faults` lists it, `visionllm faults CODE` shows one entry. Codes are stable: scripts and policies may rely
on them. What is done about a code is set in `config/schema.yaml` (see [Data](data.md)); the column *policy* is what
is shipped. Only annotations and images can be dropped; *repair* is possible where the last column says how.
"""


def shipped_action(issue: IssueType) -> str:
    """What the shipped policy does about ``issue``."""
    return issue.action or "drop"


def entry(code: str) -> dict[str, Any]:
    """Describe one issue type as JSON.

    Args:
        code: issue code, for example ``BOX-NEGATIVE-ORIGIN``.

    Returns:
        The JSON object of the issue type.

    Raises:
        UsageError: if there is no such code.
    """
    issue = CATALOGUE.get(code.upper())
    if issue is None:
        near = nearest_names(code.upper(), CATALOGUE)
        raise UsageError(
            f"There is no fault {code!r}.",
            expected="a code of the catalogue",
            found=code,
            fix=f"did you mean {' or '.join(near)}?" if near else "`visionllm faults` lists them",
        )
    return asdict(issue) | {"action": shipped_action(issue), "droppable": issue.droppable}


def entry_text(code: str) -> str:
    """One issue type for a terminal."""
    content = entry(code)
    lines = [f"{content['code']}: {content['meaning']}"]
    lines += [f"  {key:<8} {content[key]}" for key in ("example", "harm", "remedy")]
    lines.append(f"  policy   {content['action']}")
    if content["repair"]:
        lines.append(f"  repair   {content['repair']}")
    return "\n".join(lines)


def list_text() -> str:
    """All codes in chapters, one line each."""
    lines = []
    for title, group in GROUPS.items():
        lines += [f"{title}", *(f"  {f.code:<24} {shipped_action(f):<6} {f.meaning}" for f in group), ""]
    return "\n".join(lines).rstrip()


def page() -> str:
    """``docs/faults.md``."""
    parts = [_INTRODUCTION]
    for title, group in GROUPS.items():
        parts.append(f"## {title}\n")
        parts.append(
            "| code | what it means | example | harm | remedy | policy | repair |\n|---|---|---|---|---|---|---|"
        )
        parts.append("\n".join(map(_row, group)) + "\n")
    return "\n".join(parts)


def _row(issue: IssueType) -> str:
    cells = (issue.meaning, issue.example, issue.harm, issue.remedy, shipped_action(issue), issue.repair or "")
    return f"| `{issue.code}` | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
