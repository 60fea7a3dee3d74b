"""Texts that would leave a folder or run as scripts, in every place where text comes in: they stay text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chromium import chromium, faults_of, open_page, page_server, until
from hostile_texts import SCRIPTS, TRAVERSALS
from long_video import publish_long_video
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import JobOptions, Uploads, safe_name
from visionllm_interaction.server.intake.video_probe import VideoMetadata
from visionllm_interaction.store.reader import write_codes

CANARY = "what lies outside"
FACTS = VideoMetadata(container="mov", codec="h264", width=16, height=12, duration_s=1.0, frames_per_s=10.0)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a canary; the service's own folder is in it."""
    folder = tmp_path_factory.mktemp("outside")
    for place in (folder, folder / "etc"):
        place.mkdir(exist_ok=True)
        (place / ("canary.txt" if place == folder else "passwd")).write_text(CANARY)
    (folder / "service").mkdir()
    (folder / "service" / "session.secret").write_text(CANARY * 4)
    publish_long_video(folder / "service" / "store", "short", hours=0.01, tracks=3)
    return folder


@pytest.fixture(scope="module")
def client(outside: Path) -> TestClient:
    config = ServeConfig(data_dir=outside / "service", insecure=True, media_dirs=(outside / "films",))
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "service" not in path.relative_to(folder).parts}


@pytest.mark.parametrize("text", TRAVERSALS)
def test_names_of_uploads_stay_in_their_folder(outside: Path, client: TestClient, text: str) -> None:
    before = files(outside)
    uploads = Uploads(outside / "service" / "uploads", outside / "service" / "incoming")
    with uploads.receiving() as incoming:
        incoming.write(text.encode("utf-8", "replace") or b"empty")
        incoming.close()
        upload = uploads.publish(incoming.received(), name=text, facts=FACTS, options=JobOptions())
    assert uploads.path(upload).resolve().parent.parent == (outside / "service" / "uploads").resolve()
    assert "/" not in safe_name(text) and "\\" not in safe_name(text)
    assert uploads.erase(upload.video_id)
    assert files(outside) == before


@pytest.mark.parametrize("text", TRAVERSALS)
def test_ids_in_addresses_lead_nowhere_else(outside: Path, client: TestClient, text: str) -> None:
    before = files(outside)
    raw, quoted = text.replace("\x00", "%00").replace(" ", "%20"), quote(text, safe="")
    for name in {raw, quoted}:
        for address in (
            f"/v1/videos/{name}",
            f"/v1/videos/{name}/file",
            f"/v1/videos/{name}/timeline",
            f"/ui/static/{name}",
        ):
            answer = client.get(address)
            assert CANARY not in answer.text
            assert answer.status_code in (200, 307, 400, 404, 405, 409, 422), address
        assert CANARY not in client.get(f"/v1/measures/{name}").text
    for field in ("video_id", "subject"):
        assert CANARY not in client.get("/v1/measures/visible_duration", params={field: text}).text
    assert client.post("/v1/ask", json={"question": f"How long is {text} visible in {text}?"}).status_code in (200, 400)
    erased = client.delete(f"/v1/videos/{quoted}")
    assert erased.status_code in (307, 404, 405), erased.text
    assert files(outside) == before


def test_records_of_a_store_from_elsewhere_name_no_file_outside_the_folders(outside: Path, client: TestClient) -> None:
    films = outside / "films"
    films.mkdir()
    (films / "film.mp4").write_bytes(b"film")
    (films / "link.mp4").symlink_to(outside / "canary.txt")
    record = outside / "service" / "store" / "videos" / "short" / "video.json"
    content = json.loads(record.read_text())
    played = {}
    for path in (
        films / "film.mp4",
        outside / "canary.txt",
        films / ".." / "canary.txt",
        films / "link.mp4",
        films,
        "film.mp4",
    ):
        size = Path(path).stat().st_size if Path(path).exists() else 4
        content["source"] |= {"path": str(path), "bytes": size}
        record.write_text(json.dumps(content))
        played[str(path)] = client.get("/v1/videos/short/file").status_code
    assert played.pop(str(films / "film.mp4")) == 200
    assert set(played.values()) == {404}, played
    content["source"] |= {"path": str(films / "film.mp4"), "bytes": 5}  # another file than was analysed
    record.write_text(json.dumps(content))
    assert client.get("/v1/videos/short/file").status_code == 404


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose store has all the texts in names, categories, roles and codes."""
    folder = tmp_path_factory.mktemp("hostile")
    store = folder / "store"
    for number, text in enumerate(SCRIPTS):
        publish_long_video(store, f"v{number:02d}", hours=0.006, tracks=4, name=text)
    publish_long_video(store, "all", hours=0.006, tracks=len(SCRIPTS), name=SCRIPTS[0], names=list(SCRIPTS))
    codes = [
        Code(
            f"c{n}", ("speech", "gaze", "code")[n % 3], text, text, text, float(n % 20), float(n % 20) + 0.9, "made.eaf"
        )
        for n, text in enumerate(SCRIPTS)
    ]
    write_codes(store, "all", codes)
    with page_server(folder, store) as address:
        yield address


@pytest.mark.browser
@pytest.mark.timeout(900)
def test_no_text_runs_as_a_script(hostile: str) -> None:
    with chromium() as browser:
        page = open_page(browser)
        page.add_init_script("window.runs = 0; window.ran = () => { window.runs += 1; return 1; };")
        page.on("dialog", lambda dialog: page.faults.append(f"dialog {dialog.message}"))
        seen = _home(page, hostile)
        assert [text for text in SCRIPTS if _shown(text) not in seen] == [], "each name is there, letter by letter"
        _video(page, hostile)
        _measures(page, hostile)
        for text in SCRIPTS:
            for address in (
                f"/ui/videos/{quote(text, safe='')}",
                f"/ui/?q={quote(text)}#{quote(text)}",
                f"/login?{quote(text)}",
            ):
                page.goto(f"{hostile}{address}")
        page.wait_for_timeout(500)
        _check(page)


def _shown(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())


def _home(page: Any, address: str) -> str:
    page.goto(f"{address}/ui/")
    until(page, "document.querySelectorAll('.video-row').length >= 51")
    page.mouse.move(300, 400)
    for text in SCRIPTS[::7]:
        page.fill("input[type=search]", text)
        page.wait_for_selector(".video-row")
    page.fill("input[type=search]", "")
    _check(page)
    return " ".join(page.evaluate("document.querySelector('.videos').textContent").split())


def _video(page: Any, address: str) -> None:
    page.goto(f"{address}/ui/videos/all?t={quote(SCRIPTS[0])}&end=1")
    until(page, "performance.getEntriesByName('timeline-drawn').length")
    page.focus(".tl-scroll")
    for _ in range(30):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("n")
    for number, text in enumerate(SCRIPTS):
        page.fill(".ask input", f"How long is the {text} visible?")
        page.keyboard.press("Enter")
        until(page, "n => document.querySelectorAll('.turn .refused, .turn .claim').length === n", number + 1)
    assert SCRIPTS[3] in page.evaluate("document.querySelector('.answers').textContent")
    _check(page)


def _measures(page: Any, address: str) -> None:
    for text in SCRIPTS[::4]:
        page.goto(f"{address}/ui/measures?measure=visible_duration&subject={quote(text)}")
        page.wait_for_selector("table, .empty")
        page.goto(f"{address}/ui/measures?measure={quote(text)}")
        page.wait_for_selector(".refused")
        _check(page)


def _check(page: Any) -> None:
    assert page.evaluate("window.runs") == 0
    assert faults_of(page) == []


def test_no_answer_of_the_service_is_taken_for_a_page(client: TestClient) -> None:
    """Problem details repeat what was sent: as JSON, with *nosniff*, which no browser renders."""
    for text in SCRIPTS:
        for answer in (
            client.get(f"/v1/videos/{quote(text, safe='')}", headers={"accept": "text/html"}),
            client.get("/v1/videos", params={text: text}),
            client.post("/v1/ask", json={"question": text, text: text}),
            client.post("/login", data={"key": text}),
        ):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "script-src 'self';" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            if answer.headers["content-type"].startswith("text/html"):
                assert text not in answer.text or "<" not in text
