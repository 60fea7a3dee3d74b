"""Describe videos: an account in sentences, as an answer that can be replayed."""

from __future__ import annotations

from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.language.chosen_videos import find_video
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.grammar.lexicon import Language
from visionllm_interaction.reasoning.grammar.meaning import Asked, Scope
from visionllm_interaction.reasoning.grammar.planner import plan_of_asked
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, execute
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.utils.path_type import StrPath


def describe(
    store: StrPath,
    *,
    video: str | None = None,
    begin_s: float | None = None,
    end_s: float | None = None,
    language: Language = "en",
    config: ReasonConfig = ReasonConfig(),
) -> Answer:
    """Tell what happens in a video, or in every video of a store.

    Args:
        store: folder of the interaction store.
        video: id, name of the file, or number of the video from 1; None: every video.
        begin_s: tell only what happens from here on, in seconds.
        end_s: tell only what happens before, in seconds.
        language: of the sentences: ``en``, ``nb`` or ``nn``.
        config: wording and limits.

    Returns:
        An answer whose claims are the sentences: at most twelve for each minute of video, each with its evidence.

    Raises:
        UsageError: no video is named so, or the part of the video ends before it begins.
        StoreError: the store is missing or damaged.
    """
    if begin_s is not None and end_s is not None and begin_s >= end_s:
        raise UsageError(
            "The part of the video ends before it begins.",
            expected="--from before --to",
            found=f"{begin_s:g} s to {end_s:g} s",
            fix="exchange the two",
        )
    with open_store(store) as opened:
        video_id = find_video(opened, video) if video is not None else None
        asked = Asked("describe", None, Scope(video_id=video_id, begin_s=begin_s, end_s=end_s), language)
        planned = Planned(plan_of_asked(asked), "rules")
        return execute(planned, opened, vocabulary=Vocabulary.of_store(opened), config=config)
