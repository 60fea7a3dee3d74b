"""What all requests and responses have in common."""

from __future__ import annotations

from pydantic import ConfigDict

from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

NOT_BLANK = r"[^\s\x1c-\x1f]"
"""Pattern of a text that is not empty once Python has stripped it, which also takes U+001C to U+001F for spaces."""


class FrozenModel(DescribedModel):
    """A model that does not change, whose document says what stands below each field."""

    model_config = ConfigDict(frozen=True)
