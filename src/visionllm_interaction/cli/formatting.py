"""Results in words, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def as_lines(parts: Iterable[str]) -> str:
    """Join the non-empty parts with line breaks."""
    return "\n".join(part for part in parts if part)


def stage_table(result: Mapping[str, Any]) -> str:
    """One line per stage of a `run` result."""
    lines = [f"run {result['run']}"]
    for name, stage in result["stages"].items():
        lines.append(f"  {name:<10} {stage['status']:<11} {stage.get('manifest') or ''}".rstrip())
    return "\n".join(lines)


def error_rate_line(result: Mapping[str, Any]) -> str:
    """``AP … AP50 …`` where the result has them."""
    figures = [f"{key} {result[key]:.3f}" for key in ("AP", "AP50", "AP75") if result.get(key) is not None]
    return "  ".join(figures)


def categories_line(result: Mapping[str, Any]) -> str:
    """Which categories an evaluation is about, where detector and data have others too; else nothing."""
    names = result.get("categories", {})
    parts = [
        f"{label} {', '.join(names[key][:8])}" + (f" and {len(names[key]) - 8} more" if len(names[key]) > 8 else "")
        for label, key in (
            ("evaluated:", "evaluated"),
            ("left out, only the detector has it:", "detector_only"),
            ("left out, only the data has it:", "data_only"),
        )
        if names.get(key)
    ]
    return "; ".join(parts) if len(parts) > 1 else ""


def evaluation_text(result: Mapping[str, Any]) -> str:
    """Figures with their intervals, the difference to another detector, and where the page is."""
    lines = [_with_interval(key, result[key], result["intervals"].get(key)) for key in ("AP", "AP50")]
    for key in ("AP", "AP50") if "comparison" in result else ():
        row = result["comparison"][key]
        lines.append(_with_interval(f"{key} other - this", row["difference"], row["interval"], sign="+"))
    note = result["resampling"]["note"]
    return as_lines([*lines, f"note: {note}" if note else "", result.get("report", {}).get("page", "")])


def _with_interval(name: str, value: float, ends: tuple[float, float] | None, *, sign: str = "") -> str:
    return f"{name} {value:{sign}.3f}" + (f"  [{ends[0]:{sign}.3f}, {ends[1]:{sign}.3f}]" if ends else "")


def answer_text(answer: Mapping[str, Any]) -> str:
    """An answer with its evidence, or why there is none."""
    if answer["status"] == "abstained":
        return f"No answer: {answer['reason']}"
    lines = [str(answer["answer"]), f"  planner: {answer['planner']}"]
    for item in answer["evidence"]:
        lines.append(f"  [{item['id']}] {_evidence_text(item)}")
    return "\n".join(lines)


def _evidence_text(item: Mapping[str, Any]) -> str:
    value = item["value"]
    shown = f"{value:.2f}" if isinstance(value, float) else str(value)
    when = "" if item["begin_s"] is None else f", {item['begin_s']:.2f}-{item['end_s']:.2f} s"
    frames = "" if not item["frames"] else f", frames {item['frames'][0]}-{item['frames'][1]}"
    tracks = f", tracks {', '.join(map(str, item['track_ids']))}" if item["track_ids"] else ""
    return f"{item['measure']} = {shown} {item['unit']}  ({item['video_id']}{tracks}{when}{frames})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def regions_text(result: Mapping[str, Any]) -> str:
    """What `ground` found."""
    if not result["regions"]:
        return f"Nothing: {result['reason']}"
    lines = [f"{result['video_id']}, frame {result['frame_index']} at {result['timestamp_s']:.3f} s"]
    for region in result["regions"]:
        box = ", ".join(f"{value:.1f}" for value in region["box_xyxy"])
        lines.append(f"  track {region['track_id']:<4} {region['category']:<14} {box}")
    return "\n".join(lines)
