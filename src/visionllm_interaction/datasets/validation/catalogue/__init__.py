"""The catalogue of issues: one stable code each, with what it means, an example, the harm it does and what to do."""

from __future__ import annotations

from visionllm_interaction.datasets.validation.catalogue.boxes import BOXES, MASKS
from visionllm_interaction.datasets.validation.catalogue.files import FILES
from visionllm_interaction.datasets.validation.catalogue.images import IMAGES
from visionllm_interaction.datasets.validation.catalogue.leakage import LEAKAGE
from visionllm_interaction.datasets.validation.catalogue.structure import CATEGORIES, STRUCTURE
from visionllm_interaction.datasets.validation.catalogue.types import Action, Entity, IssueType

GROUPS: dict[str, tuple[IssueType, ...]] = {
    "Structure and ids": STRUCTURE,
    "Categories": CATEGORIES,
    "Boxes": BOXES,
    "Areas and masks": MASKS,
    "Files": FILES,
    "Images": IMAGES,
    "Leakage between splits": LEAKAGE,
}
"""The catalogue in chapters."""

CATALOGUE: dict[str, IssueType] = {issue.code: issue for group in GROUPS.values() for issue in group}
"""Code → issue type, in the order of reports."""

INVALID_BOX_CODES: frozenset[str] = frozenset(code for code, issue in CATALOGUE.items() if issue.action is None)
"""The codes counted as *invalid boxes* by ``max_invalid_bbox_allowed``."""

__all__ = ["CATALOGUE", "GROUPS", "INVALID_BOX_CODES", "Action", "Entity", "IssueType"]
