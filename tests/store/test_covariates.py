"""Covariates of many videos from one table: how videos may be named, what is refused, and what it costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from scenes_builders import make_store, record

from visionllm_interaction.errors import InputDataError, StoreError
from visionllm_interaction.store import video_record
from visionllm_interaction.store.covariates import read_covariates, set_covariates_from_csv
from visionllm_interaction.store.layout import RECORD_FILE


def store_of(folder: Path, files: dict[str, str]) -> Path:
    """A store of records only: video id → path of its file."""
    store = make_store(folder)
    for video_id, path in files.items():
        known = record(video_id)
        source = known.source.model_copy(update={"path": path, "name": Path(path).name})
        (store / "videos" / video_id).mkdir(exist_ok=True)
        content = known.model_copy(update={"source": source}).model_dump_json()
        (store / "videos" / video_id / RECORD_FILE).write_text(content, encoding="utf-8")
    return store


def table_of(folder: Path, names: list[str]) -> Path:
    path = folder / "covariates.csv"
    path.write_text("video,child\n" + "".join(f"{name},C{n}\n" for n, name in enumerate(names)), encoding="utf-8")
    return path


def test_a_row_names_a_video_by_its_id_its_path_its_file_or_the_stem_of_that(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", {f"v{n}": f"/films/visit{n}.mp4" for n in range(4)})
    table = table_of(tmp_path, ["v0", "/films/visit1.mp4", "visit2.mp4", "visit3"])
    found = set_covariates_from_csv(store, table)
    assert {video_id: known.child for video_id, known in found.items()} == {f"v{n}": f"C{n}" for n in range(4)}
    assert all(read_covariates(store, video_id) == known for video_id, known in found.items())


def test_a_file_without_an_ending_is_one_video(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", {"v0": "/films/visit"})
    assert list(set_covariates_from_csv(store, table_of(tmp_path, ["visit"]))) == ["v0"]


@pytest.mark.parametrize(
    ("names", "error", "found"),
    [
        (["visit"], StoreError, "v0, v1"),  # two files of one name, in two folders
        (["v0", "/one/visit.mp4"], InputDataError, "v0"),  # one video by its id and by its path
        (["v0", "visit9"], StoreError, "visit9"),
    ],
)
def test_nothing_is_set_where_a_row_names_no_video_or_several(
    names: list[str], error: type[Exception], found: str, tmp_path: Path
) -> None:
    store = store_of(tmp_path / "store", {"v0": "/one/visit.mp4", "v1": "/two/visit.mp4"})
    with pytest.raises(error) as told:
        set_covariates_from_csv(store, table_of(tmp_path, names))
    assert told.value.found == found  # type: ignore[attr-defined]
    assert read_covariates(store, "v0") is None


@pytest.mark.parametrize("named_by", ["v{}", "visit{}"])
def test_twice_as_many_videos_are_at_most_twice_the_work(
    named_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(n: int) -> dict[str, int]:
        """Calls by name while a table of ``n`` videos is read."""
        store = store_of(tmp_path / f"of-{n}", {f"v{i}": f"/films/visit{i}.mp4" for i in range(n)})
        table = table_of(tmp_path, [named_by.format(i) for i in range(n)])
        calls = {"read_record": 0, "scandir": 0}

        def counted(name: str, function: Any) -> Any:
            def call(*args: Any) -> Any:
                calls[name] += 1
                return function(*args)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(video_record, "read_record", counted("read_record", video_record.read_record))
            patch.setattr(os, "scandir", counted("scandir", os.scandir))
            assert len(set_covariates_from_csv(store, table)) == n
        return calls

    few, many = work(10), work(20)
    assert many["read_record"] <= 20 + 2, "each record once, and those of make_store"
    assert many["scandir"] == few["scandir"], "the folder is not read for each row"
