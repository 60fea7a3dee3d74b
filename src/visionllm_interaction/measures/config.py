"""Settings of measures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from visionllm_interaction.config_loading import Section
from visionllm_interaction.measures.turn_limits import PRESETS, TurnLimits


class TurnsConfig(Section):
    """When an utterance counts as the answer to another one."""

    preset: Literal["standard", "lena"] = "standard"
    """`standard`: a gap of at most 2 s, an overlap of at most 1 s; `lena`: a gap of at most 5 s, no overlap."""
    max_gap_s: float | None = Field(default=None, ge=0.0, le=60.0)
    """Longest silence before the answer, in seconds; null: the preset's."""
    max_overlap_s: float | None = Field(default=None, ge=0.0, le=60.0)
    """Longest time by which the answer may begin before the utterance has ended, in seconds; null: the preset's."""

    @property
    def limits(self) -> TurnLimits:
        """The preset's limits, replaced by those that are set here."""
        preset = PRESETS[self.preset]
        return TurnLimits(
            preset.max_gap_s if self.max_gap_s is None else self.max_gap_s,
            preset.max_overlap_s if self.max_overlap_s is None else self.max_overlap_s,
        )


class NamedMeasureConfig(Section):
    """A measure of your own: an expression with a name."""

    expression: str = Field(min_length=1)
    """The expression (docs/language.md), with `$subject` and `$object` for the names it is about."""
    definition: str = Field(min_length=1)
    """What it measures, in one sentence."""
    unit: str = ""
    """The unit of its values; checked against the expression. Empty: the expression's."""
    source: str = "config/measures.yaml"
    """Paper or standard."""
    version: int = Field(default=1, ge=1)
    """Raise it with every change of the expression; it stands beside each value."""


class MeasuresConfig(Section):
    """Settings of measures that are computed from a store; they change no store."""

    turns: TurnsConfig = TurnsConfig()
    """turn_count and turn_lag."""
    named: dict[str, NamedMeasureConfig] = Field(default_factory=dict)
    """Measures of your own by name: lower-case letters, digits and underscores."""


class MeasuresSettings(Section):
    """A configuration of measures alone."""

    measures: MeasuresConfig = MeasuresConfig()
    """Definitions of measures."""
