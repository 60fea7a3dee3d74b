"""Settings of stage 2: the policy (section ``validation``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from visionllm_interaction.config_loading import Section
from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE, INVALID_BOX_CODES, Action


class Rule(Section):
    """What to do about one code, and how often it may occur."""

    action: Action | None = None
    """``error``, ``drop``, ``repair``, ``warn`` or ``ignore``; null = as the catalogue says."""
    max_count: int | None = Field(None, ge=0)
    """How many faults are tolerated; one more fails the data."""
    max_share: float | None = Field(None, ge=0, le=1)
    """The same as a share of the split's records of that kind."""

    @property
    def has_tolerance(self) -> bool:
        """Whether a count or a share is given."""
        return self.max_count is not None or self.max_share is not None


class ImageChecks(Section):
    """How images are looked at."""

    enabled: bool = True
    """Open and decode every image. Switched off, only names and sizes on disk are checked."""
    max_megapixels: float = Field(100, gt=0, le=2000)
    """Images of more pixels are not decoded (FILE-TOO-LARGE)."""
    timeout_s: float = Field(30, gt=0, le=3600)
    """An image that takes longer is given up (FILE-KILLS-DECODER)."""
    memory_mb: int = Field(4096, ge=512)
    """Address space of each decoding process, in MB."""
    min_side_px: int = Field(24, ge=1)
    """Images with a shorter side are IMG-SMALL."""
    max_dark_luminance: float = Field(16, ge=0, le=255)
    """An image is dark if 99 % of its pixels are below this luminance, of 255."""
    min_bright_luminance: float = Field(245, ge=0, le=255)
    """An image is bright if 99 % of its pixels are above this luminance, of 255."""
    min_sharpness: float = Field(0.15, ge=0)
    """An image is blurred if its fine detail, as a share of the coarse detail, is below this."""
    near_duplicates: bool = True
    """Look for images that are the same up to encoding, size, a small crop and brightness."""
    near_duplicate_correlation: float = Field(0.93, ge=0.5, le=1)
    """How alike two aligned thumbnails must be for it."""
    adjacent_frames: int = Field(30, ge=0)
    """Frames of one video count as adjacent up to this distance of their numbers."""
    adjacent_seconds: float = Field(2.0, ge=0)
    """Images of one recording count as adjacent up to this distance in time."""


class ValidateConfig(Section):
    """What to do about which fault."""

    drop_invalid_bbox: bool = True
    """Let stage 3 drop annotations with an invalid box; if false, any invalid box fails the data."""
    max_invalid_bbox_allowed: int = Field(100, ge=0)
    """How many annotations with an invalid box may be dropped, over both splits; one more fails the data."""
    max_invalid_bbox_share: float = Field(0.2, ge=0, le=1)
    """The same as a share of each split's annotations; up to two annotations are allowed in any case."""
    bounds_tolerance_px: float = Field(0.01, ge=0, le=1)
    """How far a box may reach over the image's edge, for the rounding of exporters that write two decimals."""
    category_presence_min_images: int = Field(50, ge=0)
    """In splits of fewer images CAT-ABSENT only warns, and only where chance hardly explains it."""
    max_aspect: float = Field(60, gt=1)
    """A box more times longer than wide is BOX-ABSURD-ASPECT."""
    duplicate_iou: float = Field(0.95, gt=0.5, le=1)
    """Two boxes of one image with this overlap or more cover the same pixels."""
    max_imbalance: float = Field(1000, gt=1)
    """A category so many times rarer than the most frequent one is CAT-IMBALANCE."""
    images: ImageChecks = ImageChecks()
    """How images are looked at."""
    workers: int = Field(0, ge=0)
    """Processes that decode images and threads that read annotations; 0 = as many as there are cores."""
    actions: dict[str, Rule] = Field(default_factory=dict)
    """Fault code → action, or action with tolerance, instead of the catalogue's action."""

    @field_validator("actions", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {code: {"action": rule} if isinstance(rule, str) else rule for code, rule in value.items()}

    @model_validator(mode="after")
    def _rules_make_sense(self) -> Self:
        for code, rule in self.actions.items():
            if problem := self._problem(code, rule):
                raise ValueError(f"actions: {problem}")
        return self

    def _problem(self, code: str, rule: Rule) -> str | None:
        if code not in CATALOGUE:
            near = nearest_names(code, CATALOGUE)
            return f"unknown fault code {code!r}" + (f", did you mean {' or '.join(near)}?" if near else "")
        issue, action = CATALOGUE[code], rule.action
        if issue.fatal and (action not in (None, "error") or rule.has_tolerance):
            return f"{code} is always an error, nothing could be done with such data"
        if action == "drop" and not issue.droppable:
            return f"{code} cannot be dropped, only annotations and images can"
        if action == "repair" and not issue.repair:
            return f"{code} cannot be repaired without a person"
        strict = code in INVALID_BOX_CODES and not self.drop_invalid_bbox
        if strict and (action not in (None, "error") or rule.has_tolerance):
            return f"{code} is an error while drop_invalid_bbox is false"
        return None

    def action_of(self, code: str) -> Action:
        """What the policy does about ``code``."""
        rule = self.actions.get(code)
        if rule and rule.action:
            return rule.action
        return CATALOGUE[code].action or ("drop" if self.drop_invalid_bbox else "error")
