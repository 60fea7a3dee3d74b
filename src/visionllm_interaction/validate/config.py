"""Settings of stage 2: the policy (section ``validation``)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.settings import Section
from visionllm_interaction.validate.catalogue import CATALOGUE, Action


class ValidateConfig(Section):
    """What to do about which fault."""

    drop_invalid_bbox: bool = True
    """Let stage 3 drop annotations with an invalid box (``BOX-…``); if false, any invalid box fails the data."""
    max_invalid_bbox_allowed: int = Field(100, ge=0)
    """How many annotations with an invalid box may be dropped, over both splits; one more fails the data."""
    bounds_tolerance_px: float = Field(0.01, ge=0, le=1)
    """How far a box may reach over the image's edge, for the rounding of exporters that write two decimals."""
    category_presence_min_images: int = Field(50, ge=0)
    """CAT-ABSENT only warns in splits of fewer images, where chance alone can leave a category out."""
    actions: dict[str, Action] = Field(default_factory=dict)
    """Fault code → ``error``, ``drop``, ``repair``, ``warn`` or ``ignore``, instead of the catalogue's action."""

    @model_validator(mode="after")
    def _codes_exist(self) -> Self:
        for code, action in self.actions.items():
            if code not in CATALOGUE:
                near = nearest_names(code, CATALOGUE)
                hint = f", did you mean {' or '.join(near)}?" if near else ""
                raise ValueError(f"actions: unknown fault code {code!r}{hint}")
            if CATALOGUE[code].fatal and action != "error":
                raise ValueError(f"actions: {code} is always an error, nothing could be done with such data")
            if action == "drop" and not CATALOGUE[code].droppable:
                raise ValueError(f"actions: {code} cannot be dropped, only annotations and images can")
            if action == "repair" and not CATALOGUE[code].repair:
                raise ValueError(f"actions: {code} cannot be repaired without a person")
        return self

    def action_of(self, code: str) -> Action:
        """What the policy does about ``code``."""
        if code in self.actions:
            return self.actions[code]
        return CATALOGUE[code].action or ("drop" if self.drop_invalid_bbox else "error")
