"""The settings of questions, without waiting for those of everything else."""

from __future__ import annotations

from collections.abc import Sequence

from visionllm_interaction.config_files import layers
from visionllm_interaction.config_loading import Section, load_if_only
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.utils.paths import StrPath


class QuestionSettings(Section):
    """The sections that questions need."""

    measures: MeasuresConfig = MeasuresConfig()
    """Settings of measures."""
    reason: ReasonConfig = ReasonConfig()
    """Questions."""


def load_question_settings(
    files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None
) -> QuestionSettings:
    """The sections `measures` and `reason` of what :func:`visionllm_interaction.config.load` gives.

    Where nothing but these sections is set, the others are not even imported, which a short question would wait
    for. As soon as anything else is set everything is checked together, so that no mistake goes unseen.

    Raises:
        ConfigError: listing every problem at once.
    """
    alone = load_if_only(QuestionSettings, layers(files or ()), overrides or ())
    if alone is not None:
        return alone
    from visionllm_interaction.config import load

    settings = load(files, overrides)
    return QuestionSettings(measures=settings.measures, reason=settings.reason)
