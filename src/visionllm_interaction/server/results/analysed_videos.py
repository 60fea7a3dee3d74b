"""What an analysed video tells whoever may see it: its part of the store, its timeline, questions to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from visionllm_interaction.server.auth.roles import LOCAL, Principal
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.server.results.store_views import DamagedVideos
from visionllm_interaction.server.results.timelines.kept_timelines import KeptTimelines
from visionllm_interaction.server.results.video_list_facts import StoredVideos
from visionllm_interaction.server.results.video_lists import VideoLists
from visionllm_interaction.server.results.visible_store import VisibleStore
from visionllm_interaction.store.reader import Store, open_store


class AnalysedVideos:
    """The videos of the store that can be read.

    Args:
        lists: the videos and their states.
        visible: the store as somebody sees it.
        projects: whose videos somebody sees.
        stored: what the store says of videos.
        damaged: the videos that cannot be read.
    """

    def __init__(
        self,
        lists: VideoLists,
        visible: VisibleStore,
        projects: VideoProjects,
        *,
        stored: StoredVideos,
        damaged: DamagedVideos,
    ) -> None:
        self._lists = lists
        self._visible = visible
        self._projects = projects
        self._stored = stored
        self._damaged = damaged
        self._timelines = KeptTimelines()

    @contextmanager
    def opened(self, video_id: str, principal: Principal = LOCAL) -> Iterator[Store]:
        """Open the store for one analysed video.

        Args:
            video_id: id of the video.
            principal: who asks; the store has no video that they do not see.

        Yields:
            Store: the store, which has the video.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed yet or damaged.
        """
        state = self._lists.video(video_id)
        if state.damaged is not None:
            fix = "erase it, or analyse it again"
            raise http_problem(
                409, "The video cannot be read from the store.", code="DAMAGED-VIDEO", found=state.damaged, fix=fix
            )
        if not state.analysed:
            found = f"job {state.job.job_id} is {state.job.state}" if state.job else "no job"
            raise http_problem(409, "The video is not analysed yet.", code="NOT-ANALYSED", found=found)
        with open_store(self._visible.store_for(principal)) as store:
            yield store

    def timeline_json(self, video_id: str, principal: Principal = LOCAL) -> bytes:
        """The timeline of an analysed video as JSON; the last ones are kept, since hours of it take a second.

        Args:
            video_id: id of the video.
            principal: who asks; a session is told without the videos that they do not see.

        Returns:
            The document.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed yet or damaged.
        """
        with self.opened(video_id, principal) as store:
            return self._timelines.get(store, video_id)

    def example_questions(self, video_id: str | None, principal: Principal = LOCAL) -> list[str]:
        """Questions that have an answer: about one video, or about the video analysed last.

        Args:
            video_id: the video; None: the one analysed last.
            principal: who asks.

        Returns:
            A few questions; none if nothing is analysed.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        if video_id is None:
            sound = self._projects.seen_ids(principal) - set(self._damaged.find())
            found = [self._stored.get(one) for one in sound]
            latest = max((one for one in found if one), key=lambda one: one.analysed_at or "", default=None)
            return self._visible.questions_for(principal).examples(latest.video_id) if latest else []
        with self.opened(video_id):
            return self._visible.questions_for(principal).examples(video_id)

    def forget(self, video_id: str) -> None:
        """Forget an erased video."""
        self._visible.forget(video_id)
        self._timelines.forget(video_id)
