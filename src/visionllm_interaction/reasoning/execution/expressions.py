"""Run the expressions of a plan; every piece of evidence gets a short id, the same at every run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.measures.language.basis import expression_basis
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.syntax_tree import Grouped

if TYPE_CHECKING:
    from visionllm_interaction.core.tracks_relations_events import Track
    from visionllm_interaction.measures.config import MeasuresConfig
    from visionllm_interaction.measures.language.result import QueryResult, QueryRow
    from visionllm_interaction.store.reader import Store

_DECIMALS = 6


class ExpressionRunner(Struct):
    """Runs expressions on one store and numbers their evidence.

    Attributes:
        store: the open store.
        config: limits of turns, and named measures.
        evidence: every piece that a claim cites, in order.
        left_out: videos that expressions are not run on.
    """

    store: Store
    config: MeasuresConfig
    evidence: list[Evidence] = field(default_factory=list)
    left_out: frozenset[str] = frozenset()
    _results: dict[str, QueryResult] = field(default_factory=dict)
    _names: dict[str, frozenset[str]] = field(default_factory=dict)

    def rows(self, expression: Grouped) -> tuple[QueryRow, ...]:
        """The values of an expression."""
        return self.result(expression).rows

    def result(self, expression: Grouped) -> QueryResult:
        """The result of an expression; each is computed once."""
        from visionllm_interaction.measures.language.run import evaluate

        text = expression.to_text()
        if text not in self._results:
            self._results[text] = evaluate(expression, self.store, config=self.config, without=self.left_out)
        return self._results[text]

    def videos(self, expression: Grouped) -> tuple[str, ...]:
        """The videos that an expression is about."""
        if expression.video is None:
            return tuple(video_id for video_id in self.store.video_ids() if video_id not in self.left_out)
        return (expression.video,)

    def leave_out(self, video_ids: Collection[str]) -> ExpressionRunner:
        """One for the other videos, whose evidence is numbered on here."""
        return ExpressionRunner(
            self.store, self.config, evidence=self.evidence, left_out=self.left_out | frozenset(video_ids)
        )

    def detected(self, video_id: str) -> frozenset[str]:
        """Categories and roles that were tracked in a video."""
        if video_id not in self._names:
            self._names[video_id] = frozenset(self.store.names(video_id))
        return self._names[video_id]

    def tracks_by_name(self, video_id: str) -> Mapping[str, Sequence[Track]]:
        """The tracks of a video by their names, the role before the category."""
        found: dict[str, list[Track]] = {}
        for track in self.store.tracks(video_id):
            found.setdefault(track.role or track.category, []).append(track)
        return found

    def cite(self, row: QueryRow, measure: str, unit: str) -> tuple[str, ...]:
        """Number the evidence of a row; a row without any is cited as a value of its whole video."""
        found = row.evidence or (_bare(row, measure, unit),)
        return tuple(self._numbered(item) for item in found)

    def _numbered(self, item: Evidence) -> str:
        value = round(item.value, _DECIMALS) if isinstance(item.value, float) else item.value
        begin_s, end_s = (None if time is None else round(time, _DECIMALS) for time in (item.begin_s, item.end_s))
        plain = replace(item, id="", value=value, begin_s=begin_s, end_s=end_s)
        known = next((found.id for found in self.evidence if replace(found, id="") == plain), None)
        if known is not None:
            return known
        identifier = f"e{len(self.evidence) + 1}"
        self.evidence.append(replace(plain, id=identifier))
        return identifier


def _bare(row: QueryRow, measure: str, unit: str) -> Evidence:
    value = {True: "yes", False: "no"}[row.value] if isinstance(row.value, bool) else row.value
    return Evidence(
        id="",
        measure=measure,
        value=value,
        unit=unit,
        video_id=row.video_id or "",
        track_ids=(),
        begin_s=None,
        end_s=None,
        frames=None,
        missing=row.missing,
        basis=expression_basis(parsed(measure).value),
    )


@cache
def parsed(text: str) -> Grouped:
    """The parts of an expression; read once."""
    return parse(text)


def by_video(expression: Grouped) -> Grouped:
    """The same with a value for each video."""
    return replace(expression, by_video=True)


def in_video(text: str, video_id: str) -> str | None:
    """An expression for one video alone.

    Args:
        text: the expression.
        video_id: the video.

    Returns:
        Its text; None if it is about another video.
    """
    given = parsed(text)
    if given.video not in (None, video_id):
        return None
    over = f" over {', '.join(binding.to_text() for binding in given.over)}" if given.over else ""
    by = f" by {', '.join(binding.to_text() for binding in given.by)}" if given.by else ""
    return f'{given.value.to_text()} in video "{video_id}"{over}{by}'


def names_of(expression: Grouped) -> Sequence[str]:
    """The names that an expression is about, without those that stand for several."""
    from visionllm_interaction.measures.language.syntax_tree import NameTerm, walk

    found = dict.fromkeys(node.base for node in walk(expression) if isinstance(node, NameTerm))
    return [name for name in found if not name.startswith("$") and name not in ("person", "thing", "anything")]
