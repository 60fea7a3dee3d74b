"""Corrected values beside those of measures and expressions: which kept correction is about which value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from visionllm_interaction.measures.catalogue import MEASURES, expression_of
from visionllm_interaction.measures.language.syntax_tree import NameTerm, substituted

if TYPE_CHECKING:
    from visionllm_interaction.store.audit_corrections import CorrectedValue, MeasuredState, ValidCorrection
    from visionllm_interaction.store.reader import Store


class Corrections(Struct, frozen=True, dict=True):
    """The kept corrections of a store, by what they are about.

    Attributes:
        kept: those that are still valid.
    """

    kept: tuple[ValidCorrection, ...] = ()

    @classmethod
    def of_store(cls, store: Store) -> Corrections:
        """Read those of a store; most stores have none.

        Args:
            store: the open store.

        Returns:
            Its valid corrections.

        Raises:
            StoreError: if a kept correction cannot be read.
        """
        if not (store.path / "corrections").is_dir():
            return cls()
        from visionllm_interaction.store.audit_corrections import read_corrections

        return cls(read_corrections(store, versions={name: measure.version for name, measure in MEASURES.items()}))

    def __bool__(self) -> bool:
        return bool(self.kept)

    def of_state(self, state: MeasuredState) -> ValidCorrection | None:
        """The correction of a measure of the whole of each video; None if there is none."""
        return self._by_state.get(state)

    def of_expression(self, text: str) -> ValidCorrection | None:
        """The correction of an expression without a window, as text; None if there is none."""
        return self._by_expression.get(text)

    @cached_property
    def _by_state(self) -> Mapping[MeasuredState, ValidCorrection]:
        return {state: kept for kept in self.kept for state in kept.about.either_way()}

    @cached_property
    def _by_expression(self) -> Mapping[str, ValidCorrection]:
        return {_expression(state): kept for state, kept in self._by_state.items()}


def _expression(state: MeasuredState) -> str:
    """What a measure stands for in the language, with its names."""
    measure = MEASURES[state.measure]
    predicate = state.predicate or measure.predicate or "visible"
    names = {"$subject": NameTerm(state.subject)}
    if state.object is not None:
        names["$object"] = NameTerm(state.object)
    expression = expression_of(measure, predicate=predicate, has_object=state.object is not None)
    return substituted(expression, names).to_text()


def corrected_of(
    correction: ValidCorrection | None, *, video_id: str | None, videos: Collection[str]
) -> CorrectedValue | None:
    """The corrected value beside a value.

    Args:
        correction: of its measure; None: there is none.
        video_id: the video that the value is of; None: ``videos`` together.
        videos: the videos that the value is of.

    Returns:
        Its corrected value; None if the correction is not about just these videos.
    """
    if correction is None:
        return None
    if video_id is not None:
        own = correction.by_video.get(video_id)
        return own or (correction.together if correction.videos == {video_id} else None)
    return correction.together if correction.videos == set(videos) else None
