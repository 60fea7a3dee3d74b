"""Settings of imports."""

from __future__ import annotations

from pydantic import Field, field_validator

from visionllm_interaction.config_loading import Section
from visionllm_interaction.interop.formats.columns import parse_columns


class InteropConfig(Section):
    """Who is meant by the names in coded files, presets for tables, and words for the categories of a store."""

    participants: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Role or category → further names for it in coded files, whatever their case: `caregiver: [Bestemor, GRA]`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Name of a preset → columns, for `visionllm import --columns NAME`: `onset:ms` is a column in milliseconds."""
    words: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Category → further words that name it in a transcript, in all their forms."""

    @field_validator("columns")
    @classmethod
    def _columns_are_readable(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value.values():
            try:
                parse_columns(text)
            except Exception as error:
                raise ValueError(str(error)) from error
        return value
