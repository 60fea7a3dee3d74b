"""Downloads of exports by the client, over connections that are cut, and lists in pages."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from visionllm_interaction.client import AsyncClient, Client, RemoteJob, ServiceProblem, export_files

ADDRESS = "http://127.0.0.1:8000"
CONTENT = bytes(range(256)) * 40
FILE = {"name": "visit.mp4", "bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}


def job(**changes: Any) -> RemoteJob:
    known: dict[str, Any] = {"job_id": "export-1", "kind": "export", "video_id": "v", "status": "done"}
    return RemoteJob.model_validate({**known, "result": {"files": [FILE]}, **changes})


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "PIECE_BYTES", 1000)


def server(asked: list[str], *, cut_at: int | None = None, content: bytes = CONTENT) -> Callable[..., httpx.Response]:
    """Answers ranges; the connection is cut once, at the request that begins at ``cut_at``."""
    cuts = [cut_at] if cut_at is not None else []

    def answer(request: httpx.Request) -> httpx.Response:
        begin, end = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
        asked.append(request.url.path)
        if begin in cuts:
            cuts.remove(begin)
            raise httpx.ReadError("cut", request=request)
        return httpx.Response(206, content=content[begin : end + 1])

    return answer


def test_a_download_that_was_cut_goes_on(tmp_path: Path) -> None:
    asked: list[str] = []
    with Client(ADDRESS, transport=httpx.MockTransport(server(asked, cut_at=5000))) as client:
        with pytest.raises(ServiceProblem, match="does not answer"):
            client.download(job(), tmp_path)
        assert not (tmp_path / "visit.mp4").exists()
        before = len(asked)
        [path] = client.download(job(), tmp_path)
    assert path.read_bytes() == CONTENT
    assert (before, len(asked) - before) == (6, 6), "pieces that had arrived were not asked for again"
    assert set(asked) == {"/v1/videos/v/exports/export-1/files/visit.mp4"}
    assert [one.name for one in tmp_path.iterdir()] == ["visit.mp4"]


def test_a_file_that_is_another_one_is_not_kept(tmp_path: Path) -> None:
    wrong = server([], content=bytes(len(CONTENT)))
    with (
        Client(ADDRESS, transport=httpx.MockTransport(wrong)) as client,
        pytest.raises(ServiceProblem, match="arrived"),
    ):
        client.download(job(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{"status": "running", "result": None}, {"kind": "analysis"}])
def test_what_is_no_finished_export_has_no_files(tmp_path: Path, changes: dict[str, Any]) -> None:
    with Client(ADDRESS) as client, pytest.raises(ServiceProblem, match="nothing to download"):
        client.download(job(**changes), tmp_path)


def test_names_of_files_cannot_leave_the_folder(tmp_path: Path) -> None:
    outside = job(result={"files": [{**FILE, "name": "../outside.mp4"}]})
    with Client(ADDRESS, transport=httpx.MockTransport(server([]))) as client:
        [path] = client.download(outside, tmp_path / "here")
    assert path == tmp_path / "here" / "outside.mp4"


def test_all_pages_of_a_list_are_asked_for(tmp_path: Path) -> None:
    pages = {None: ("a", "one"), "one": ("b", "two"), "two": ("c", None)}

    def answer(request: httpx.Request) -> httpx.Response:
        name, following = pages[request.url.params.get("cursor")]
        entry = {"video_id": name, "analysed": True, "playable": True}
        one_job = {"job_id": name, "video_id": name, "status": "done"}
        return httpx.Response(200, json={"videos": [entry], "jobs": [one_job], "next": following})

    with Client(ADDRESS, transport=httpx.MockTransport(answer)) as client:
        assert [one.video_id for one in client.videos()] == ["a", "b", "c"]
        assert [one.job_id for one in client.jobs(status="done")] == ["a", "b", "c"]

    async def asked() -> tuple[list[str], bytes]:
        async with AsyncClient(ADDRESS, transport=httpx.MockTransport(answer)) as client:
            names = [one.video_id for one in await client.videos()]
        async with AsyncClient(ADDRESS, transport=httpx.MockTransport(server([]))) as client:
            [path] = await client.download(job(), tmp_path)
            return names, path.read_bytes()

    assert asyncio.run(asked()) == (["a", "b", "c"], CONTENT)


def test_a_job_is_followed_over_streams_that_end(tmp_path: Path) -> None:
    streams = iter([["queued", "running"], ["running", "done"]])

    def answer(_: httpx.Request) -> httpx.Response:
        states = [f"event: job\ndata: {job(status=one).model_dump_json()}\n\n" for one in next(streams)]
        return httpx.Response(200, text=": still here\n\n" + "".join(states))

    with Client(ADDRESS, transport=httpx.MockTransport(answer)) as client:
        assert [one.status for one in client.follow("export-1")] == ["queued", "running", "running", "done"]
    gone = httpx.MockTransport(lambda _: httpx.Response(404, json={"detail": "There is no job with this id."}))
    with Client(ADDRESS, transport=gone) as client, pytest.raises(ServiceProblem, match="no job"):
        list(client.follow("export-1"))
