"""The box of the page in which questions are asked and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException
from nicegui import ui

from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.reasoning.answers import Answer, EvidenceItem
from visionllm_interaction.server.state import ServiceContext

EXAMPLES = (
    "How long is the child visible?",
    "How many balls are there?",
    "How long are the child and the caregiver near each other?",
)
OpenEvidence = Callable[[EvidenceItem], None]


@dataclass(frozen=True)
class AskBox:
    """The ask box: a question field, examples, and the answer with a button for each piece of evidence.

    Attributes:
        context: the service and its metrics.
        open_evidence: called with the evidence that the user clicks.
    """

    context: ServiceContext
    open_evidence: OpenEvidence

    def build(self) -> None:
        """Add the box to the page at the present position."""
        with ui.element("section").classes("panel ask"):
            ui.html("<h2>Ask</h2>", sanitize=False)
            with ui.row().classes("ask-row"):
                question = ui.input(placeholder="A question about the analysed videos").props("outlined dense")
                question.classes("grow").props('aria-label="Question"')
                button = ui.button("Ask").props("unelevated no-caps")
            with ui.row().classes("examples"):
                for example in EXAMPLES:
                    ui.button(example, on_click=lambda _, text=example: question.set_value(text)).props(
                        "flat dense no-caps size=sm"
                    )
            place = ui.element("div").classes("answer").props('aria-live="polite"')

        last: Answer | None = None

        async def ask() -> None:
            nonlocal last
            text = (question.value or "").strip()
            if text:
                # The last answer is kept by the page, so that "and the book?" can lean on it.
                last = await self._answer(text, last, place)

        button.on_click(ask)
        question.on("keydown.enter", ask)

    async def _answer(self, question: str, last: Answer | None, place: ui.element) -> Answer | None:
        """Show the answer; returns the one that the next question may lean on."""
        place.clear()
        with place:
            ui.spinner(size="sm")
        try:
            reply = await asyncio.to_thread(self.context.service.say, question, last)
        except (VisionLLMError, HTTPException) as error:
            place.clear()
            with place:
                ui.label(_message(error)).classes("refused")
            return last
        answer = reply.answer
        self.context.metrics.questions.labels(answer.status, answer.planner).inc()
        place.clear()
        with place:
            for expression in reply.expressions:
                ui.label(f"= {expression}").classes("note")
            self._show(answer)
        return answer if answer.status == "answered" else last

    def _show(self, answer: Answer) -> None:
        if answer.status == "abstained":
            ui.label(answer.reason or "No answer.").classes("refused")
            return
        evidence = {item.id: item for item in answer.evidence}
        for claim in answer.claims:
            with ui.row().classes("claim"):
                ui.label(claim.text).classes("claim-text")
                ui.label(claim.standing).classes("standing")
                for name in claim.evidence:
                    if name in evidence:
                        self._chip(evidence[name])
        by = f"planned by {answer.model}" if answer.model else "planned by rules"
        ui.label(f"Every number was computed from the store ({by}).").classes("note")

    def _chip(self, item: EvidenceItem) -> None:
        chip = ui.button(on_click=lambda: self.open_evidence(item)).props("outline no-caps dense size=sm")
        chip.classes("chip").props(f'aria-label="Show evidence {item.id}"')
        with chip:
            ui.label(f"{item.id}  {_span(item)}")
            shown = f"{item.measure} = {item.value} {item.unit} {item.basis}"
            ui.tooltip(f"{shown}, in {item.video_id}, tracks {list(item.track_ids)}")


def _span(item: EvidenceItem) -> str:
    if item.begin_s is None:
        return item.video_id
    end = f"–{item.end_s:.1f}" if item.end_s is not None else ""
    return f"▸ {item.begin_s:.1f}{end} s"


def _message(error: VisionLLMError | HTTPException) -> str:
    if isinstance(error, VisionLLMError):
        return " ".join(part for part in (error.message, error.fix) if part)
    return str(error.detail["detail"] if isinstance(error.detail, dict) else error.detail)
