"""Ground a phrase in a store, and ask a vision model about what it refers to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.grounding.phrases import Grounding, ground
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    from visionllm_interaction.reasoning.grounding.vision import VisionAnswer


def ground_phrase(
    phrase: str, store: StrPath, *, at_s: float, video_id: str | None = None, config: ReasonConfig = ReasonConfig()
) -> Grounding:
    """The regions that ``phrase`` refers to at ``at_s`` seconds of a video; see :func:`.phrases.ground`."""
    store = Path(store)
    with open_store(store) as opened:
        vocabulary = Vocabulary.of_store(opened, aliases=config.aliases)
        return ground(phrase, opened, vocabulary, at_s=at_s, video_id=video_id)


def ask_about_phrase(
    question: str,
    phrase: str,
    store: StrPath,
    *,
    at_s: float,
    config: ReasonConfig,
    video_id: str | None = None,
    answers: Sequence[str] = ("yes", "no"),
) -> VisionAnswer:
    """Ask a vision model about what ``phrase`` refers to; see :func:`.vision.ask_vision_model_async`."""
    store = Path(store)
    # Imported here because grounding needs neither images nor a model.
    from visionllm_interaction.reasoning.grounding.vision import ask_vision_model

    grounding = ground_phrase(phrase, store, at_s=at_s, video_id=video_id, config=config)
    with open_store(store) as opened:
        return ask_vision_model(question, grounding, opened, config=config, answers=answers)
