"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from visionllm_interaction.core.evidence import basis_in_words

if TYPE_CHECKING:
    from visionllm_interaction.pipeline import PipelineResult
    from visionllm_interaction.reasoning.answers import Answer, EvidenceItem
    from visionllm_interaction.reasoning.dialogue.conversation import Reply
    from visionllm_interaction.reasoning.grounding.phrases import Grounding


def as_lines(parts: Iterable[str]) -> str:
    """Join the non-empty parts with line breaks."""
    return "\n".join(part for part in parts if part)


def stage_table(result: PipelineResult) -> str:
    """The run folder, and one line per stage."""
    stages = [f"  {stage.name:<10} {stage.status:<11} {stage.manifest}" for stage in result.stages]
    return "\n".join([f"run {result.run}", *stages])


def metrics_line(result: Mapping[str, Any]) -> str:
    """``AP … AP50 … AP75 …``, as far as the result has them."""
    metrics = [f"{key} {result[key]:.3f}" for key in ("AP", "AP50", "AP75") if result.get(key) is not None]
    return "  ".join(metrics)


def categories_line(result: Mapping[str, Any]) -> str:
    """The evaluated categories and those left out; empty if detector and data have the same categories."""
    names = result.get("categories", {})
    parts = [
        f"{label} {', '.join(names[key][:8])}" + (f" and {len(names[key]) - 8} more" if len(names[key]) > 8 else "")
        for label, key in (
            ("evaluated:", "evaluated"),
            ("left out, only in the detector:", "detector_only"),
            ("left out, only in the data:", "data_only"),
        )
        if names.get(key)
    ]
    return "; ".join(parts) if len(parts) > 1 else ""


def evaluation_text(result: Mapping[str, Any]) -> str:
    """Metrics with their confidence intervals, the difference to another detector, and the path of the HTML page."""
    lines = [_with_interval(key, result[key], result["intervals"].get(key)) for key in ("AP", "AP50")]
    for key in ("AP", "AP50") if "comparison" in result else ():
        row = result["comparison"][key]
        lines.append(_with_interval(f"{key} other - this", row["difference"], row["interval"], sign="+"))
    note = result["resampling"]["note"]
    return as_lines([*lines, f"note: {note}" if note else "", result.get("report", {}).get("page", "")])


def _with_interval(name: str, value: float, ends: tuple[float, float] | None, *, sign: str = "") -> str:
    return f"{name} {value:{sign}.3f}" + (f"  [{ends[0]:{sign}.3f}, {ends[1]:{sign}.3f}]" if ends else "")


def answer_text(answer: Answer) -> str:
    """An answer with its evidence, or the reason why there is none."""
    if answer.status == "abstained":
        return f"No answer: {answer.reason}"
    evidence = [f"  [{item.id}] {_evidence_text(item)}" for item in answer.evidence]
    return "\n".join([str(answer.answer), *standings(answer), f"  planner: {answer.planner}", *evidence])


def standings(answer: Answer) -> list[str]:
    """What the numbers of an answer rest on: one line for all, or one for each claim where they differ."""
    found = [claim.standing for claim in answer.claims]
    if len(set(found)) <= 1:
        return [f"  {text}" for text in found[:1]]
    return [f"  {claim.standing}: {claim.text}" for claim in answer.claims]


def reply_text(reply: Reply) -> str:
    """A reply in a conversation: what a follow-up became, and the answer; the evidence where it was asked for."""
    rewritten = [f"= {expression}" for expression in reply.expressions]
    if reply.answer.status == "abstained":
        return "\n".join([*rewritten, f"No answer: {reply.answer.reason}"])
    if reply.shows_evidence:
        return "\n".join(f"[{item.id}] {_evidence_text(item)}" for item in reply.answer.evidence)
    return "\n".join([*rewritten, str(reply.answer.answer)])


def _evidence_text(item: EvidenceItem) -> str:
    shown = f"{item.value:.2f}" if isinstance(item.value, float) else str(item.value)
    when = "" if item.begin_s is None else f", {item.begin_s:.2f}-{item.end_s:.2f} s"
    frames = "" if not item.frames else f", frames {item.frames[0]}-{item.frames[1]}"
    tracks = f", tracks {', '.join(map(str, item.track_ids))}" if item.track_ids else ""
    corrected = "" if item.corrected is None else f"; {item.corrected}"
    basis = basis_in_words(item.basis, item.values)
    return f"{item.measure} = {shown} {item.unit} {basis}{corrected}  ({item.video_id}{tracks}{when}{frames})"


def regions_text(grounding: Grounding) -> str:
    """The regions that `ground` found, or why there are none."""
    if not grounding.regions:
        return f"Nothing found: {grounding.reason}"
    lines = [f"{grounding.video_id}, frame {grounding.frame_index} at {grounding.timestamp_s:.3f} s"]
    for region in grounding.regions:
        box = ", ".join(f"{value:.1f}" for value in region.box_xyxy)
        lines.append(f"  track {region.track_id:<4} {region.category:<14} {box}")
    return "\n".join(lines)
