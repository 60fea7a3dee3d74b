"""Small results that are kept with the version of the algorithm that gave them.

A result that changes while the version stays is refused. With ``PIN_RESULTS=1`` a new result is written, but only if
the version was raised, or libraries that decide it were upgraded, or nothing is kept yet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("files") / "results"


def check_result(
    name: str, result: Any, *, version: int, libraries: Mapping[str, str], where: str, folder: Path = FOLDER
) -> None:
    """Compare ``result`` (JSON) with the one that is kept as ``name``; ``where`` is the file of its version."""
    now = json.loads(json.dumps({"algorithm_version": version, "libraries": dict(libraries), "result": result}))
    file = folder / f"{name}.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    made_by = {key: now[key] for key in ("algorithm_version", "libraries")}
    may_pin = kept is None or any(kept[key] != value for key, value in made_by.items())
    if os.environ.get("PIN_RESULTS") and may_pin:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_as_text(now), encoding="utf-8")
        return
    assert kept is not None, f"no result of {name} is kept: PIN_RESULTS=1 pytest {Path(__file__).parent}"
    difference = first_difference(kept["result"], now["result"])
    if kept["algorithm_version"] != version:
        raise AssertionError(
            f"ALGORITHM_VERSION of {name} is {version}, and the result kept is of {kept['algorithm_version']}: "
            "keep the new one with PIN_RESULTS=1"
        )
    assert difference is None, (
        f"The result of {name} is not what version {version} of its algorithm gave: {difference}. "
        f"Bump ALGORITHM_VERSION in {where} and keep the new result with PIN_RESULTS=1, or restore the result."
        + (f" (The libraries are others too: {kept['libraries']} → {dict(libraries)}.)" if may_pin else "")
    )


def _as_text(content: Mapping[str, Any]) -> str:
    """One line for each part of the result, so that a diff shows which one changed."""
    parts = [f"  {json.dumps(name)}: {json.dumps(part, sort_keys=True)}" for name, part in content["result"].items()]
    head = {key: content[key] for key in ("algorithm_version", "libraries")}
    lines = [f" {json.dumps(key)}: {json.dumps(value, sort_keys=True)}," for key, value in head.items()]
    return "\n".join(["{", *lines, ' "result": {', ",\n".join(parts), " }", "}"]) + "\n"


def first_difference(before: Any, now: Any, *, at: str = "") -> str | None:
    """Where two JSON values differ first, and how; ``None`` if they do not."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = sorted(before.keys() | now.keys())
        pairs = [(f"{at}.{name}".lstrip("."), before.get(name), now.get(name)) for name in names]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(f"{at}[{n}]", old, new) for n, (old, new) in enumerate(zip(before, now, strict=True))]
    else:
        return None if before == now else f"{at or 'it'} was {before!r:.200} and is {now!r:.200}"
    found = (first_difference(old, new, at=place) for place, old, new in pairs)
    return next((text for text in found if text), None)
