"""The typed client against the service: in this process for its calls, as a process for the example of the README."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from chromium import page_server
from long_video import publish_long_video

from visionllm_interaction.client import AsyncClient, Client, RemoteJob, ServiceProblem
from visionllm_interaction.server.auth.api_keys import create_key

REPO = Path(__file__).resolve().parents[2]
ADDRESS = "http://127.0.0.1:8000"
QUESTION = "How long is the child visible?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="module")
def key(folder: Path) -> str:
    return create_key(folder / "service" / "keys.yaml", name="test", role="admin")


@pytest.fixture(scope="module")
def address(folder: Path, key: str) -> Iterator[str]:
    publish_long_video(folder / "store", "visit", hours=0.01, tracks=4, name="visit 1.mp4")
    with page_server(folder, folder / "store", insecure=False) as found:
        yield found


@pytest.fixture
def client(address: str, key: str) -> Iterator[Client]:
    with Client(address, key=key) as client:
        yield client


def test_videos_timelines_answers_and_measures_are_typed(client: Client) -> None:
    [video] = client.videos()
    assert (video.video_id, video.name, video.analysed, video.duration_s) == ("visit", "visit 1.mp4", True, 36.0)
    assert client.video("visit") == video
    timeline = client.timeline("visit")
    assert [track.category for track in timeline.tracks] == ["child", "caregiver", "ball", "cup"]
    assert {relation.predicate for relation in timeline.relations} == {"near", "in_contact", "holding"}
    answer = client.ask(QUESTION, video_id="visit")
    measured = client.measures("visible_duration", subject="child", video_id="visit")
    assert answer.claims[0].value == pytest.approx(measured.rows[0].value, abs=0.01)
    assert measured.measure["unit"] == "s"
    assert QUESTION in client.questions("visit")
    follow_up = client.ask("And the caregiver?", video_id="visit", after=[QUESTION])
    assert follow_up.status == "answered", follow_up.reason
    assert "caregiver" in (follow_up.answer or "")


def test_the_csv_has_the_rows_of_the_table(client: Client) -> None:
    lines = client.measures_csv("visible_share", bin_s=10, subject="child").decode().splitlines()
    rows = client.measures("visible_share", bin_s=10, subject="child").rows
    assert len(lines) == len(rows) + 1 == 5
    assert lines[0].startswith("video_id,subject,object,measure")
    assert [float(line.split(",")[5]) for line in lines[1:]] == [row.value for row in rows]


def test_what_is_wrong_is_an_exception_with_the_services_words(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ServiceProblem) as unknown:
        client.timeline("none")
    assert (unknown.value.status, unknown.value.problem_code) == (404, "NOT-FOUND")
    with pytest.raises(ServiceProblem, match="no detector") as refused:
        client.upload(_file(tmp_path, "a.mp4"))
    assert refused.value.status == 503 and "serve.detector" in (refused.value.fix or "")
    with pytest.raises(ServiceProblem, match="no such measure"):
        client.measures("nothing")


def _file(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(b"not a video")
    return folder / name


def test_a_wrong_key_and_a_service_that_is_not_there(address: str) -> None:
    with Client(address, key="vli_wrong") as stranger, pytest.raises(ServiceProblem, match="API key") as refused:
        stranger.videos()
    assert refused.value.status == 401
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(ServiceProblem, match="does not answer"):
        nobody.videos()


@pytest.mark.parametrize(
    ("states", "told"),
    [
        (["queued", "running", "done"], None),
        (["running", "failed"], "too dark"),
        (["cancelled"], "cancelled"),
        (["running"], "not ended in time"),
    ],
)
def test_waiting_ends_with_the_job(states: list[str], told: str | None) -> None:
    answers = iter([*states, *states[-1:] * 100])

    def answer(request: httpx.Request) -> httpx.Response:
        error = {"message": "failed", "found": "too dark"}
        status = next(answers)
        content = {"job_id": "job-1", "video_id": "v", "status": status, "error": error if status == "failed" else None}
        return httpx.Response(200, json=content)

    with Client(ADDRESS, transport=httpx.MockTransport(answer)) as client:
        if told is None:
            assert client.wait("job-1", every_s=0).status == "done"
        else:
            with pytest.raises(ServiceProblem, match=told):
                client.wait(RemoteJob(job_id="job-1", video_id="v", status="queued"), every_s=0.01, timeout_s=0.2)


def test_both_clients_have_the_same_methods_and_answers(address: str, key: str, client: Client) -> None:
    async def asked() -> tuple[Any, ...]:
        async with AsyncClient(address, key=key) as other:
            return await other.videos(), await other.timeline("visit"), await other.ask(QUESTION, video_id="visit")

    assert asyncio.run(asked()) == (client.videos(), client.timeline("visit"), client.ask(QUESTION, video_id="visit"))
    public = [{name for name in vars(kind) if not name.startswith("_")} for kind in (Client, AsyncClient)]
    assert public[0] == public[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_of_the_readme_runs(
    tmp_path: Path, tiny_checkpoint: Path, tiny_video: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import shutil
    import signal

    from running_service import RunningService

    readme = (REPO / "README.md").read_text(encoding="utf-8")
    [example] = [code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "client import" in code]
    service = RunningService(tmp_path, [f"serve.detector={tiny_checkpoint}", "serve.page=false"])
    try:
        service.start()
        shutil.copy(tiny_video, tmp_path / "visit1.mp4")
        monkeypatch.chdir(tmp_path)
        code = example.replace("http://127.0.0.1:8000", service.url).replace("vli_…", service.key)
        assert code != example
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    finally:
        service.stop(signal.SIGKILL)
    told = capsys.readouterr().out
    assert "RemoteValue" in told or "[]" in told
    print(told, file=sys.stderr)
