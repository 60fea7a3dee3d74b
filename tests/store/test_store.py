"""The store: round trips, replacing, erasing, versions, and what the database may not do."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from scenes_builders import RELATIONS, frame_table, record

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Track
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.measures.api import Query, run_query
from visionllm_interaction.store.layout import has_video, list_videos
from visionllm_interaction.store.reader import Store, StoreLimits, erase_video, open_store, publish_video
from visionllm_interaction.store.video_record import make_video_id


def publish(store: Path, video_id: str, *, frames: FrameTable, tracks: tuple[Track, ...] = ()) -> Path:
    return publish_video(
        store,
        record(video_id),
        frames=frames,
        detections=DetectionTable.empty(),
        tracks=tracks,
        relations=[],
        events=[],
    )


def test_a_store_has_what_it_lists(store_path: Path) -> None:
    (store_path / "videos" / ".partial").mkdir()
    odd = ("", ".", "..", ".partial", "a/", "../videos/a", "\0", "x" * 5000, str(store_path))
    assert [name for name in (*list_videos(store_path), *odd) if has_video(store_path, name)] == ["a", "b"]


def test_what_was_published_is_read_back(store_path: Path) -> None:
    with open_store(store_path) as store:
        assert store.video_ids() == ["a", "b"]
        assert store.names() == ["car", "caregiver", "child", "cup", "person"]
        assert store.known_names() == ["ball", "car", "caregiver", "child", "cup", "person"]
        assert store.relations("a") == RELATIONS
        assert store.events("a") == [Event("e1", "picks_up", (1, 3), 2.5, 2.6, 0.9)]
        assert store.tracks("b") == [Track(1, "car", None, 0.5, 1.0, 5, 0.9)]
        assert store.video("a") == record("a").model_dump(mode="json")
        frames = store.frames("a")
        assert frames["processed"].to_pylist().count(False) == 2
        assert sum(frames["duration_s"].to_pylist()) == pytest.approx(10.0)
        detections = store.detections("a")
        assert detections.num_rows == len(detections["detection_id"].unique())
        assert detections.column_names[:4] == ["detection_id", "frame_index", "timestamp_s", "category"]


def test_timeline_is_plain_json(store_path: Path) -> None:
    with open_store(store_path) as store:
        timeline = store.timeline("a")
    assert timeline["frames"] == {"first": 0, "last": 99, "count": 100, "processed": 98}
    assert timeline["events"][0]["track_ids"] == [1, 3]
    assert len(timeline["relations"]) == len(RELATIONS)


def test_the_layout_is_the_published_one(store_path: Path) -> None:
    names = {p.relative_to(store_path).as_posix() for p in store_path.rglob("[!.]*") if p.is_file()}
    files = (
        "video.json",
        *(f"{n}.parquet" for n in ("frames", "detections", "tracks", "relations", "events", "sightings", "codes")),
    )
    assert names == {"store.yaml", *(f"videos/{v}/{f}" for v in "ab" for f in files)}


def test_an_empty_store_has_no_names_and_answers_nothing(tmp_path: Path) -> None:
    publish(tmp_path / "s", "a", frames=frame_table())
    erase_video(tmp_path / "s", "a")
    with open_store(tmp_path / "s") as store:
        assert (store.video_ids(), store.names()) == ([], [])
        assert store.rows("SELECT * FROM events") == []


def test_publishing_again_replaces(store_path: Path) -> None:
    publish(store_path, "a", frames=frame_table(n=7))
    with open_store(store_path) as store:
        assert store.frames("a").num_rows == 7
        assert store.names() == ["car"]
    assert sorted(p.name for p in (store_path / "videos").iterdir()) == ["a", "b"]


def test_a_reader_during_replacement_sees_one_whole_version(tmp_path: Path) -> None:
    store, stop, seen = tmp_path / "s", threading.Event(), set()
    publish(store, "a", frames=frame_table(n=3))

    def read() -> None:
        while not stop.is_set():
            seen.add(pq.read_metadata(store / "videos" / "a" / "frames.parquet").num_rows)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(40):
        publish(store, "a", frames=frame_table(n=3 + n % 2))
    stop.set()
    reader.join()
    assert seen == {3, 4}


def test_reopening_sees_new_videos_and_partials_are_never_read(store_path: Path) -> None:
    (store_path / "videos" / ".partial-c-1").mkdir()
    with open_store(store_path) as before:
        publish(store_path, "c", frames=frame_table(n=3))
        assert before.video_ids() == ["a", "b"]
    assert list_videos(store_path) == ["a", "b", "c"]


def test_erasing_leaves_no_byte_of_the_video(store_path: Path) -> None:
    erase_video(store_path, "a")
    left = b"".join(p.read_bytes() for p in store_path.rglob("*") if p.is_file())
    assert b"child" not in left.replace(b'"child"', b"")  # video b's list of names looked for stays
    assert list_videos(store_path) == ["b"] and not (store_path / "videos" / "a").exists()


@pytest.mark.parametrize("video_id", ["..", "../x", "a/b", "", ".hidden", "a\n"])
def test_ids_that_could_leave_the_store_are_refused(store_path: Path, video_id: str) -> None:
    with pytest.raises(UsageError):
        erase_video(store_path, video_id)
    with pytest.raises((UsageError, ValidationError)):
        record(video_id)


def test_a_video_that_is_not_there(store_path: Path) -> None:
    with pytest.raises(StoreError, match="not in the store"):
        erase_video(store_path, "zz")
    with open_store(store_path) as store, pytest.raises(StoreError):
        store.tracks("zz")


def test_ids_are_made_from_any_file_name() -> None:
    assert make_video_id(Path("/x/My video (1).mp4"), "abcdef0123") == "My-video-1-abcdef01"
    assert make_video_id(Path("/x/….mp4"), "abcdef0123") == "video-abcdef01"


def test_places_that_are_no_store_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no interaction store"), open_store(tmp_path):
        pass
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="taken"):
        publish(tmp_path, "a", frames=frame_table())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_store_of_another_version_is_refused(store_path: Path) -> None:
    (store_path / "store.yaml").write_text("schema_version: 99\n")
    with pytest.raises(StoreError, match="another version"), open_store(store_path):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "kind: visionllm-interaction store\nschema_version: 2\n",  # as it is written
        "schema_version: 2  # a note\n\nkind: 'visionllm-interaction store'\n",
        '{"schema_version": 2}',
    ],
)
def test_the_version_is_read_however_it_is_written(store_path: Path, text: str) -> None:
    (store_path / "store.yaml").write_text(text)
    with open_store(store_path) as store:
        assert len(store) == 2


def test_a_damaged_file_is_named(store_path: Path) -> None:
    (store_path / "videos" / "a" / "tracks.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(StoreError, match=r"tracks\.parquet"), open_store(store_path) as store:
        store.names()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM read_csv('{store}/../secret.csv')",
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '{outside}'",
        "ATTACH '{outside}.db'",
        "SET enable_external_access = true",
        "SET threads = 64",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')",
    ],
)
def test_the_database_reaches_nothing_but_the_store(store_path: Path, sql: str) -> None:
    secret = store_path.parent / "secret.csv"
    secret.write_text("a\n1\n")
    with open_store(store_path) as store, pytest.raises(StoreError):
        store.rows(sql.format(outside=secret, store=store_path))
    assert secret.read_text() == "a\n1\n"


def test_a_question_about_one_video_opens_no_file_of_another(store_path: Path) -> None:
    def ask(store: Store) -> list[Evidence]:
        found = [run_query(store, Query(name, "cup", video_id="a")) for name in ("visible_duration", "object_size")]
        # Threads add up frames in any order.
        return [replace(evidence, value=round(float(str(evidence.value)), 12)) for [evidence] in found]

    with open_store(store_path) as store:
        whole = ask(store)
    for path in (store_path / "videos" / "b").iterdir():
        path.write_bytes(b"damaged")
    with open_store(store_path) as store:
        assert ask(store) == whole
        with pytest.raises(StoreError):
            run_query(store, Query("visible_duration", "cup"))
        # And afterwards it is about the one video again.
        assert ask(store) == whole


def test_a_query_that_takes_too_long_is_stopped(store_path: Path) -> None:
    limits = StoreLimits(query_s=0.3)
    with Store(store_path, limits=limits) as store, pytest.raises(StoreError):
        store.rows("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3")
