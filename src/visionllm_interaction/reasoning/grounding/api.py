"""Ground a phrase in a store, and look at what it means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.grounding.phrases import Grounding, ground
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.store.reader import open_store

if TYPE_CHECKING:
    from visionllm_interaction.reasoning.grounding.vision import Look


def ground_phrase(
    phrase: str, store: Path, *, at_s: float, video_id: str | None = None, config: ReasonConfig = ReasonConfig()
) -> Grounding:
    """What ``phrase`` means at ``at_s`` seconds of a video of the store; see :func:`.ground.ground`."""
    with open_store(store) as opened:
        vocabulary = Vocabulary.build(opened.known_names(), opened.video_ids(), aliases=config.aliases)
        return ground(phrase, opened, vocabulary, at_s=at_s, video_id=video_id)


def look_at(
    question: str,
    phrase: str,
    store: Path,
    *,
    at_s: float,
    config: ReasonConfig,
    video_id: str | None = None,
    answers: Sequence[str] = ("yes", "no"),
) -> Look:
    """Ask a vision model about what ``phrase`` marks; see :func:`.look.look`."""
    # Imported here because grounding needs neither images nor a model.
    from visionllm_interaction.reasoning.grounding.vision import look

    grounding = ground_phrase(phrase, store, at_s=at_s, video_id=video_id, config=config)
    with open_store(store) as opened:
        return look(question, grounding, opened, config=config, answers=answers)
