"""What the catalogue says about one kind of issue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["error", "drop", "repair", "warn", "ignore"]
Entity = Literal["image", "annotation", "category", "file", "dataset"]


@dataclass(frozen=True, slots=True)
class IssueType:
    """One kind of issue.

    ``action`` is what the shipped policy does; ``None`` for invalid boxes, which follow ``drop_invalid_bbox``.
    ``entity``: what kind of record is at fault; only annotations and images can be dropped.
    ``repair``: what stage 3 does when the action is ``repair``; ``None`` where nothing can be done without a person.
    ``fatal``: nothing is left to work with, so no policy can let it pass.
    """

    code: str
    meaning: str
    example: str
    harm: str
    remedy: str
    entity: Entity
    action: Action | None = "error"
    repair: str | None = None
    fatal: bool = False

    @property
    def droppable(self) -> bool:
        """Whether stage 3 can leave the record out."""
        return self.entity in ("annotation", "image")
