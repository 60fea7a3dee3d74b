"""What all requests and responses have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A model that does not change, whose document says what stands below each field."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
