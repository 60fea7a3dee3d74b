"""The store as somebody sees it: the videos of their projects, without those that are damaged."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.auth.roles import Principal
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.server.results.measure_values import MeasureValues
from visionllm_interaction.server.results.questions.conversations import Conversations
from visionllm_interaction.server.results.questions.store_questions import StoreQuestions
from visionllm_interaction.server.results.store_views import DamagedVideos, StoreViews
from visionllm_interaction.store.layout import list_videos

MOST_MEASURED = 8
"""Parts of the store whose tables of measures are kept."""


class VisibleStore:
    """Opens the store for whoever asks.

    Args:
        config: the section ``serve``.
        projects: whose videos somebody sees.
        damaged: the videos that cannot be read.
        reason: how questions are answered.
        measures: definitions of measures.
    """

    def __init__(
        self,
        config: ServeConfig,
        projects: VideoProjects,
        damaged: DamagedVideos,
        *,
        reason: ReasonConfig,
        measures: MeasuresConfig,
    ) -> None:
        self._store = config.store_dir
        self._projects = projects
        self._damaged = damaged
        self._reason = reason
        self._measures = measures
        self._views = StoreViews(config.store_dir, config.views_dir, owner=config.executor_id)
        self._conversations = Conversations()
        self._measure_values: dict[Path, MeasureValues] = {}

    def prepare(self) -> None:
        """Remove the parts that an earlier process made."""
        self._views.prepare()

    def forget(self, video_id: str) -> None:
        """Forget an erased video: parts with it, and what was computed from it."""
        self._views.erase(video_id)
        self._damaged.forget(video_id)
        self._measure_values.clear()
        self._conversations.forget()

    def forget_answers(self) -> None:
        """Forget the answers and measures given so far: somebody has corrected a video."""
        self._measure_values.clear()
        self._conversations.forget()

    def store_for(self, principal: Principal) -> Path:
        """The store as somebody sees it: all of it, or a part in which nothing else can be reached.

        Args:
            principal: who asks.

        Returns:
            The folder of a store.
        """
        whole = set(list_videos(self._store))
        seen = self._projects.seen_ids(principal) - set(self._damaged.find())
        return self._store if seen == whole else self._views.part(seen)

    def questions_for(self, principal: Principal) -> StoreQuestions:
        """Questions to the videos that somebody sees."""
        seen = self._projects.seen_ids(principal)
        damaged = {one: fault for one, fault in self._damaged.find().items() if one in seen}
        return StoreQuestions(self.store_for(principal), damaged, self._reason, self._measures, self._conversations)

    def measures_for(self, principal: Principal) -> MeasureValues:
        """Measures of the videos that somebody sees."""
        store = self.store_for(principal)
        values = self._measure_values.pop(store, None) or MeasureValues(store, self._measures)
        self._measure_values[store] = values  # the last one used is the last to go
        while len(self._measure_values) > MOST_MEASURED:
            self._measure_values.pop(next(iter(self._measure_values)))
        return values
