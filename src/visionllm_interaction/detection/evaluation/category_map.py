"""Which categories of a detector are which of the data: by name, or as somebody says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.detection.evaluation.id_numbering import Id, category_names
from visionllm_interaction.errors import InputDataError, UsageError

_SHOWN = 8


@dataclass(frozen=True)
class CategoryMap:
    """What is evaluated.

    Attributes:
        ids: the detector's label (or the results file's category_id) → category_id of the data.
        evaluated: names of the data's categories that are evaluated.
        detector_only: the detector's categories whose detections are left out.
        data_only: the data's categories that are left out, as no category of the detector is one of them.
    """

    ids: Mapping[Any, Id]
    evaluated: tuple[str, ...]
    detector_only: tuple[str, ...]
    data_only: tuple[str, ...]

    def to_dict(self) -> dict[str, list[str]]:
        """The names, for a report."""
        names = {"evaluated": self.evaluated, "detector_only": self.detector_only, "data_only": self.data_only}
        return {key: list(value) for key, value in names.items()}

    def restrict(self, truth: Mapping[str, Any]) -> dict[str, Any]:
        """The annotation file with the categories that are evaluated, and their annotations."""
        kept = set(self.ids.values())
        return {
            **truth,
            "categories": [category for category in truth["categories"] if category["id"] in kept],
            "annotations": [a for a in truth["annotations"] if a["category_id"] in kept],
        }


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """Parse ``DETECTOR=DATA`` texts.

    Args:
        pairs: texts of the form ``DETECTOR=DATA``.

    Returns:
        Category name of the detector → of the data.

    Raises:
        UsageError: if one is something else, or names one category twice.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        own, sign, data = (part.strip() for part in pair.partition("="))
        if not (own and sign and data) or own in given:
            raise UsageError(
                "A mapping of categories cannot be used.",
                expected="DETECTOR=DATA, each category of the detector once, for example --map person=child",
                found=pair,
                where="--map",
            )
        given[own] = data
    return given


def map_categories(
    own: Mapping[Any, str], truth: Mapping[str, Any], given: Mapping[str, str], *, detector: str
) -> CategoryMap:
    """Match the categories of the detector and the data.

    A pair in ``given`` decides; else names match, ignoring case and hyphens.

    Args:
        own: label → name, the detector's.
        truth: COCO annotations.
        given: the detector's name → the data's name.
        detector: what it is called, for messages.

    Returns:
        The matched categories, and those left out on both sides.

    Raises:
        UsageError: if ``given`` names a category that is not there.
        InputDataError: if no category matches.
    """
    data = category_names(truth)
    _require_known(given, own.values(), "detector")
    _require_known(given.values(), data.values(), "data")
    id_of = {name: key for key, name in data.items()}
    folded = {_folded(name): key for key, name in data.items()}
    found = {label: id_of[given[name]] for label, name in own.items() if name in given}
    for label, name in own.items():
        key = id_of.get(name, folded.get(_folded(name)))
        if name not in given and key is not None:
            found[label] = key
    if not found:
        raise _nothing_in_common(list(own.values()), list(data.values()), detector)
    evaluated = dict.fromkeys(found.values())  # in the detector's order, whatever ids the data gives
    return CategoryMap(
        ids=found,
        evaluated=tuple(data[key] for key in evaluated),
        detector_only=tuple(name for label, name in own.items() if label not in found),
        data_only=tuple(name for key, name in data.items() if key not in evaluated),
    )


def _folded(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", name).casefold())


def _require_known(names: Any, known: Any, whose: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            near = nearest_names(name, known) or known[:_SHOWN]
            raise UsageError(
                f"--map names a category that the {whose} does not have.",
                expected=f"a category of the {whose}, for example {', '.join(near)}",
                found=name,
                where="--map DETECTOR=DATA",
            )


def _nothing_in_common(own: list[str], data: list[str], detector: str) -> InputDataError:
    return InputDataError(
        "The detector and the data have no category in common.",
        expected=f"a category of the data: {_listed(data)}",
        found=_listed(own),
        where=detector,
        fix=f"say which is which, for example --map {_quoted(f'{own[0]}={data[0]}')}" if own and data else None,
    )


def _quoted(text: str) -> str:
    return f"'{text}'" if " " in text else text


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
