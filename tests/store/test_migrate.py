"""Stores of older versions, coded intervals, and what is left of an erased video."""

from __future__ import annotations

import hashlib
import multiprocessing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from scenes_builders import frame_table, record

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import StoreError
from visionllm_interaction.measures.api import Query, measures_table, run_query
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.migrations import migrate_store
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.writer import erase_video, prepare_store, publish_video, write_codes

CODES = [
    Code("c1", "child", "speech", "child", "ba", 1.0, 2.0, "session.eaf"),
    Code("c2", "gaze", "gaze", "child", "cup", 3.0, 4.5, "session.eaf"),
]


def make_version_1(store: Path) -> None:
    """Take away what version 2 added."""
    for path in (*store.rglob("sightings.parquet"), *store.rglob("codes.parquet")):
        path.unlink()
    content = {"kind": "visionllm-interaction store", "schema_version": 1}
    (store / "store.yaml").write_text(yaml.safe_dump(content))


def tidy(store: Path) -> dict[tuple[Any, ...], Any]:
    """Values by what they are about, to 12 digits: threads add up frames in any order."""
    with open_store(store) as opened:
        rows = measures_table(opened).to_pylist()
    keys = ("video_id", "subject", "object", "measure", "predicate")
    return {
        tuple(row[key] for key in keys): None if row["value"] is None else float(f"{row['value']:.12g}") for row in rows
    }


def digests(store: Path) -> dict[str, str]:
    return {str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest() for p in store.rglob("*.parquet")}


def test_a_migrated_store_is_the_store_that_would_have_been_written_now(store_path: Path) -> None:
    before, files = tidy(store_path), digests(store_path)
    make_version_1(store_path)
    with pytest.raises(StoreError, match="visionllm migrate"), open_store(store_path):
        pass
    assert migrate_store(store_path) == (1, 2)
    assert tidy(store_path) == before
    assert digests(store_path) == files
    assert migrate_store(store_path) == (2, 2)


def test_a_killed_migration_is_finished_by_the_next_one(store_path: Path) -> None:
    before = tidy(store_path)
    make_version_1(store_path)
    migrate_store(store_path)
    # As a kill before the last video and the version leaves it.
    (store_path / "videos" / "b" / "codes.parquet").unlink()
    (store_path / "store.yaml").write_text("schema_version: 1\n")
    migrate_store(store_path)
    assert tidy(store_path) == before


def test_writers_migrate_and_newer_stores_are_left_alone(store_path: Path) -> None:
    make_version_1(store_path)
    prepare_store(store_path)
    with open_store(store_path) as store:
        assert store.video_ids() == ["a", "b"]
    (store_path / "store.yaml").write_text("schema_version: 3\n")
    with pytest.raises(StoreError, match="newer"):
        prepare_store(store_path)
    assert (store_path / "store.yaml").read_text() == "schema_version: 3\n"


def test_codes_are_kept_when_the_video_is_analysed_again_and_replaced_by_source(store_path: Path) -> None:
    write_codes(store_path, "a", CODES)
    other = Code("c9", "x", "code", "", "y", 0.0, 1.0, "other.csv")
    write_codes(store_path, "a", [other])
    write_codes(store_path, "a", CODES[:1])
    publish_video(
        store_path,
        record("a"),
        frames=frame_table(n=7),
        detections=DetectionTable.empty(),
        tracks=[],
        relations=[],
        events=[],
    )
    with open_store(store_path) as store:
        assert store.codes("a") == [other, CODES[0]]
    with pytest.raises(StoreError, match="not in the store"):
        write_codes(store_path, "zz", CODES)


def test_coded_gaze_is_a_predicate(store_path: Path) -> None:
    write_codes(store_path, "a", CODES)
    with open_store(store_path) as store:
        [looks, _] = run_query(store, Query("longest_bout", "child", "cup", predicate="looks_at"))
        [none, _] = run_query(store, Query("bout_count", "child", "ball", predicate="looks_at"))
    assert (looks.value, looks.begin_s, looks.frames, looks.track_ids) == (pytest.approx(1.5), 3.0, (32, 44), (1,))
    assert none.value == 0


def test_an_erased_video_leaves_no_byte_even_after_a_killed_erase(store_path: Path) -> None:
    write_codes(store_path, "a", CODES)
    (store_path / "videos" / "a").rename(store_path / "videos" / ".partial-a-0123abcd")
    with pytest.raises(StoreError):
        erase_video(store_path, "zz")
    erase_video(store_path, "a")
    left = b"".join(p.read_bytes() for p in store_path.rglob("*") if p.is_file())
    assert b"session.eaf" not in left and b"caregiver" not in left
    assert [p.name for p in (store_path / "videos").iterdir()] == ["b"]


def _publish_many(store: str, prefix: str, count: int) -> None:
    for number in range(count):
        publish_video(
            Path(store),
            record(f"{prefix}{number}"),
            frames=frame_table(n=5),
            detections=DetectionTable.empty(),
            tracks=[],
            relations=[],
            events=[],
        )
        write_codes(Path(store), "a", [Code(f"{prefix}{number}", "t", "code", "", "", 0.0, 1.0, f"{prefix}{number}")])


def test_writers_in_several_processes_lose_nothing(store_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_publish_many, args=(str(store_path), prefix, 5)) for prefix in "pq"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        with open_store(store_path) as store:
            assert store.rows("SELECT count(*) AS n FROM frames")[0]["n"] >= 150
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(list_videos(store_path)) == 2 + 2 * 5
    assert pq.read_table(store_path / "videos" / "a" / "codes.parquet").num_rows == 2 * 5
