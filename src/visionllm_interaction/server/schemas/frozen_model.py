"""What all requests and responses have in common."""

from __future__ import annotations

from pydantic import ConfigDict

from visionllm_interaction.utils.schema_from_docstrings import DescribedModel


class FrozenModel(DescribedModel):
    """A model that does not change, whose document says what stands below each field."""

    model_config = ConfigDict(frozen=True)
