"""Small coded files for tests: ELAN, BORIS, Datavyu and tables."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from visionllm_interaction.store.reader import open_store

HEADER = "tier,participant,label,begin_s,end_s\n"


def eaf(path: Path, slots: dict[str, int | None], tiers: str, media: dict[str, int | None] | None = None) -> Path:
    """An ELAN document; ``media`` maps a file name to its TIME_ORIGIN in ms."""
    linked = "".join(
        f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///data/{name}" MIME_TYPE="video/mp4"'
        + (f' TIME_ORIGIN="{origin}"/>' if origin is not None else "/>")
        for name, origin in (media or {}).items()
    )
    order = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{name}"' + (f' TIME_VALUE="{ms}"/>' if ms is not None else "/>")
        for name, ms in slots.items()
    )
    path.write_text(
        f'<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{linked}</HEADER>'
        f"<TIME_ORDER>{order}</TIME_ORDER>{tiers}</ANNOTATION_DOCUMENT>"
    )
    return path


def tier(name: str, *annotations: str, parent: str | None = None) -> str:
    """A tier of ELAN."""
    about = f' PARENT_REF="{parent}"' if parent else ""
    inner = "".join(f"<ANNOTATION>{one}</ANNOTATION>" for one in annotations)
    return f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="t" PARTICIPANT="child"{about}>{inner}</TIER>'


def aligned(name: str, begin: str, end: str, label: str = "x") -> str:
    """An annotation between two slots."""
    return (
        f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="{begin}" TIME_SLOT_REF2="{end}">'
        f"<ANNOTATION_VALUE>{label}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
    )


def referring(name: str, parent: str, label: str, previous: str | None = None) -> str:
    """An annotation that has the time of another one."""
    after = f' PREVIOUS_ANNOTATION="{previous}"' if previous else ""
    return (
        f'<REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{parent}"{after}>'
        f"<ANNOTATION_VALUE>{label}</ANNOTATION_VALUE></REF_ANNOTATION>"
    )


def boris(path: Path, events: list[list[Any]], files: dict[str, list[str]] | None = None, **more: Any) -> Path:
    """A BORIS project with one observation; ``play`` is a state, anything else a point."""
    files = files or {"1": ["a.mp4"]}
    info = {
        "length": {name: 10.0 for names in files.values() for name in names},
        "offset": more.pop("offset", dict.fromkeys(files, 0.0)),
        **more.pop("media_info", {}),
    }
    observation = {"file": files, "time offset": 0.0, "media_info": info, "events": events, **more}
    project = {
        "behaviors_conf": {"0": {"code": "play", "type": "State event"}, "1": {"code": "cry", "type": "Point event"}},
        "observations": {"visit": observation},
    }
    path.write_text(json.dumps(project))
    return path


def opf(path: Path, cells: str, project: str = "viewerSettings: []\n", **entries: str) -> Path:
    """A Datavyu file with one column."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project", f"!project\ndbFile: db\nversion: 5\n{project}")
        archive.writestr("db", f"#4\nlooks (MATRIX,true,)-target|NOMINAL\n{cells}")
        for name, text in entries.items():
            archive.writestr(name.removeprefix("entry_"), text)
    return path


def spans(store: Path, tier_name: str | None = None, video_id: str = "a") -> list[tuple[float, float]]:
    """Begin and end of the codes of a video, sorted."""
    with open_store(store) as opened:
        codes = opened.codes(video_id)
    return sorted((round(c.begin_s, 6), round(c.end_s, 6)) for c in codes if tier_name in (None, c.tier))
