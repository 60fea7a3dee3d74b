"""Settings of stage 3 (section ``transform``)."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from visionllm_interaction.config_loading import Section

GroupColumn = Literal["child", "household", "session", "camera"]


class TaxonomyConfig(Section):
    """Which categories training sees, always by name: ids differ from export to export."""

    merge: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """New category → the categories that become it. One of them may have the new name already."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Old name → new name."""
    keep: tuple[str, ...] | None = None
    """Only these categories stay, named as they are after merging and renaming; others go with their annotations."""
    ids: dict[str, int] = Field(default_factory=dict)
    """Name → the ``category_id`` it gets. Categories not named keep theirs."""
    align: bool = False
    """Give categories of val the ids that train has for the same names (set CAT-DIFFERENT to warn)."""

    @model_validator(mode="after")
    def _one_fate_each(self) -> Self:
        sources = [name for group in self.merge.values() for name in group] + list(self.rename)
        twice = sorted(name for name, count in Counter(sources).items() if count > 1)
        if twice:
            raise ValueError(f"{', '.join(twice)}: named more than once in merge and rename")
        targets = Counter([*self.merge, *self.rename.values()])
        clash = sorted(name for name, count in targets.items() if count > 1)
        if clash:
            raise ValueError(f"{', '.join(clash)}: several categories get this name; use merge to join them")
        if len(set(self.ids.values())) < len(self.ids):
            raise ValueError("ids: two names get one id")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return self == TaxonomyConfig()


class SplitsConfig(Section):
    """How images are divided anew into train and val."""

    val_share: float = Field(0.2, gt=0, lt=1)
    """Share of the images that go to val."""
    tolerance: float = Field(0.05, gt=0, le=0.5)
    """How far, as a share of all images, val may be from that: whole groups rarely add up exactly."""
    group_by: tuple[GroupColumn, ...] = ()
    """Images that share one of these stay together (columns of stage 1's files.parquet)."""
    all_categories: bool = True
    """Refuse a division that leaves a category without images in train or in val."""
    seed: int = Field(0, ge=0)
    """Another seed gives another division, as good."""


class TransformConfig(Section):
    """What stage 3 does beside the drops and repairs that the policy of stage 2 decides."""

    taxonomy: TaxonomyConfig = TaxonomyConfig()
    """Merge, rename or leave out categories."""
    exif_boxes: Literal["evidence", "upright", "stored"] = "evidence"
    """On which image the boxes of images with an EXIF orientation were drawn, where sizes, boxes and masks do not
    tell: ``upright`` (as viewers show it) or ``stored``; ``evidence`` refuses to guess."""
    splits: SplitsConfig | None = None
    """Divide the images anew; null keeps train and val as they came."""
