"""Erasing leaves nothing: a video with a conspicuous name is uploaded, analysed, asked about and erased.

Afterwards every byte of the data folder, of the service's log and of the database is searched for its name, its ids,
its digests and its content.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from canary_scan import find_bytes
from postgres_server import PostgresServer, postgres_server
from running_service import RunningService, finished_job, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "Zanzibarina-Quokkason.mp4"
CONTENT = b"CANARYBYTES-7f3e9d1c5b"


@pytest.fixture
def canary_video(tmp_path: Path, tiny_video: Path) -> Path:
    """The tiny video with a name and with bytes that nothing else has; decoders pass over what follows the last box."""
    path = tmp_path / "away" / NAME
    path.parent.mkdir()
    shutil.copyfile(tiny_video, path)
    with path.open("ab") as stream:
        stream.write(len(CONTENT + b"........").to_bytes(4, "big") + b"free" + CONTENT)
    return path


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def use(client: httpx.Client, video: Path) -> dict[str, Any]:
    """Everything that leaves traces; gives the video's entry before it is erased."""
    sent, named = {"file": (NAME, video.read_bytes())}, {"Idempotency-Key": "canary"}
    accepted = client.post("/v1/videos", files=sent, headers=named).raise_for_status().json()
    assert finished_job(client, accepted["job_id"])["status"] == "done"
    video_id = accepted["video_id"]
    for path in ("", "/timeline", "/detections", "/poster", "/file"):
        client.get(f"/v1/videos/{video_id}{path}").raise_for_status()
    for question in ("How many people are there?", f"How long is the child visible in {video_id}?"):
        client.post("/v1/ask", json={"question": question, "video_id": video_id}).raise_for_status()
    client.get("/v1/measures/visible_duration/csv").raise_for_status()
    expression = f"visible(person) in video {video_id}"
    for path in ("bouts", "bouts/csv", f"videos/{video_id}/comparisons"):
        client.get(f"/v1/{path}", params={"expression": expression} if "bouts" in path else {}).raise_for_status()
    for path in ("look-transitions", "look-transitions/csv"):
        client.get(f"/v1/{path}", params={"video_id": video_id}).raise_for_status()
    client.patch(f"/v1/videos/{video_id}", json={"child": "C07", "recorded_on": "2026-01-12"}).raise_for_status()
    consent = {"about": "video", "name": video_id, "state": "given", "note": f"form of {NAME}"}
    client.put("/v1/projects/default/consents", json=consent).raise_for_status()
    client.get("/v1/projects/default/consents").raise_for_status()
    client.get("/v1/projects").raise_for_status()
    for options in ({"format": "eaf"}, {"format": "mp4"}):
        named = {"Idempotency-Key": f"canary-{options['format']}"}
        export = client.post(f"/v1/videos/{video_id}/exports", json=options, headers=named)
        job = finished_job(client, export.raise_for_status().json()["job_id"])
        [file] = job["result"]["files"]
        client.get(f"/v1/videos/{video_id}/exports/{job['job_id']}/files/{file['name']}").raise_for_status()
    found: dict[str, Any] = client.get(f"/v1/videos/{video_id}").json()
    return found


def resume(client: httpx.Client, video: Path) -> str:
    """The same video by a resumable upload, in two pieces."""
    content = video.read_bytes()
    tus = {"Tus-Resumable": "1.0.0"}
    name = base64.b64encode(NAME.encode()).decode()
    begun = {**tus, "Upload-Length": str(len(content)), "Upload-Metadata": f"filename {name}"}
    place = client.post("/v1/uploads", headers=begun).raise_for_status().headers["location"]
    for begin, end in ((0, 1000), (1000, len(content))):
        headers = {**tus, "Upload-Offset": str(begin), "Content-Type": "application/offset+octet-stream"}
        client.patch(place, headers=headers, content=content[begin:end]).raise_for_status()
    return str(client.get(place).json()["job_id"])


def needles_of(entry: dict[str, Any], video: Path) -> list[bytes]:
    digest = hashlib.sha256(video.read_bytes()).hexdigest()
    stem = NAME.removesuffix(".mp4")
    texts = [stem, "Zanzibarina", "Quokkason", entry["video_id"], digest, digest[:12], digest[:16]]
    return [CONTENT, *(text.encode() for text in texts), bytes.fromhex(digest)]


def check_nothing_is_left(service: RunningService, video: Path, *, folders: list[Path]) -> None:
    service.start()
    restricted = service.new_key("guest", role="viewer", projects=["default"])
    with service.client() as client, service.client(restricted) as guest:
        entry = use(client, video)
        assert guest.get("/v1/questions").status_code == 200  # a part of the store is made for it
        needles = needles_of(entry, video)
        data = service.folder / "service"
        before = find_bytes(data, needles)
        assert len(before) > 10, "the search finds what is there"
        client.put("/v1/projects/default", json={"retain_until": "2020-01-01"}).raise_for_status()
        due = {"json": {"video_ids": [entry["video_id"]]}, "headers": {"Idempotency-Key": "canary-due"}}
        client.post("/v1/projects/default/erase-due", **due).raise_for_status()
        client.put("/v1/projects/default", json={"retain_until": None}).raise_for_status()
        again = resume(client, video)
        wait_for(lambda: client.get(f"/v1/jobs/{again}").json()["status"] == "running" or finished_job(client, again))
        assert client.delete(f"/v1/videos/{entry['video_id']}").status_code == 204
        assert client.get(f"/v1/jobs/{again}").status_code == 404
        audited = client.get("/v1/audit").json()
        assert {"upload", "view", "ask", "export", "erase"} <= {row["action"] for row in audited["rows"]}
        hits = [hit for folder in folders for hit in find_bytes(folder, needles)]
        assert hits == [], "while it runs"
    service.stop(signal.SIGTERM)
    hits = [hit for folder in folders for hit in find_bytes(folder, needles)]
    assert hits == [], "after it has stopped"
    log = service.log.lower().encode()
    assert [needle for needle in needles if needle.lower() in log] == []


def test_no_byte_of_the_data_folder_tells_of_an_erased_video(service: RunningService, canary_video: Path) -> None:
    check_nothing_is_left(service, canary_video, folders=[service.folder / "service"])


def test_no_byte_of_postgresql_tells_of_an_erased_video(
    service: RunningService, canary_video: Path, postgres: PostgresServer
) -> None:
    service.options.append(f"serve.database_url={postgres.url}")
    check_nothing_is_left(service, canary_video, folders=[service.folder / "service", postgres.folder])
