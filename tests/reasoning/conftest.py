"""Stores of two ToyRoom-like videos whose every measure can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_made_store import FIRST_RELATIONS, FIRST_SPANS, NAMES, SECOND_SPANS, publish

from visionllm_interaction.reasoning.language.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def one_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("one") / "store"
    publish(store, "room_s7_000", duration_s=20.0, spans=FIRST_SPANS, relations=FIRST_RELATIONS)
    return store


@pytest.fixture(scope="session")
def two_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("two") / "store"
    publish(store, "room_s7_000", duration_s=20.0, spans=FIRST_SPANS, relations=FIRST_RELATIONS)
    publish(store, "room_s7_001", duration_s=10.0, spans=SECOND_SPANS)
    return store


@pytest.fixture(scope="session")
def seven_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("seven") / "store"
    for number in range(7):
        publish(store, f"clip_{number}", duration_s=10.0, spans=SECOND_SPANS)
    return store


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary.build([*NAMES, "person"], ["room_s7_000", "room_s7_001"])
