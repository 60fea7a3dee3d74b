"""Batches of videos: what one has read is freed when it is measured, without waiting for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from visionllm_interaction.measures import table_computation
from visionllm_interaction.measures.engine import MeasureEngine
from visionllm_interaction.measures.table import measures_table
from visionllm_interaction.store.reader import open_store


def test_a_batch_is_freed_as_soon_as_it_is_measured(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch is in memory at once, also where nothing else makes garbage: a store of any size needs no more."""
    engines: list[weakref.ref[MeasureEngine]] = []
    alive: list[int] = []

    class Watched(MeasureEngine):
        def __init__(self, *arguments: object, **settings: object) -> None:
            alive.append(sum(engine() is not None for engine in engines))
            super().__init__(*arguments, **settings)  # type: ignore[arg-type]
            engines.append(weakref.ref(self))

    monkeypatch.setattr(table_computation, "MeasureEngine", Watched)
    monkeypatch.setattr(table_computation, "MAX_VIDEOS", 1)
    gc.disable()
    try:
        with open_store(store_path) as store:
            assert measures_table(store).num_rows
            assert len(engines) == len(store) > 1
        kept = [engine() is not None for engine in engines]
    finally:
        gc.enable()
    assert max(alive) <= 1 and not any(kept)
