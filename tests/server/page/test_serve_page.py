"""The page in a browser. ``VISIONLLM_TEST_CHECKPOINT`` names a trained detector."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, faults_of, open_page, until
from running_service import RunningService, finished_job

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
DRAWN = "performance.getEntriesByName('timeline-drawn').length"
AT = "begin => Math.abs(document.querySelector('video').currentTime - begin) < 0.01"


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a fresh Chromium that notes what goes wrong in it, and every address it asks for."""
    with chromium() as browser:
        yield open_page(browser, width=1440, height=1000)


@pytest.fixture
def toy_service(service: RunningService, toy_video: Path) -> RunningService:
    """A running service; with a trained detector if there is one, else its store is filled from the truth."""
    trained = os.environ.get("VISIONLLM_TEST_CHECKPOINT")
    if trained:
        service.options[0] = f"serve.detector={trained}"
        service.options.pop()  # look at every frame
    service.start()
    return service


def log_in(page: Any, service: RunningService) -> None:
    page.goto(service.url)
    page.fill("input[name=key]", service.key)
    page.click("text=Log in")
    page.wait_for_selector(".drop")


def upload_by_hand(page: Any, service: RunningService, *videos: Path) -> str:
    """Log in, drop the files on the page, wait until the first is analysed; returns its id."""
    log_in(page, service)
    page.set_input_files(".drop input", [str(video) for video in videos])
    page.wait_for_selector(".video-row")
    with service.client() as client:
        [known] = client.get("/v1/videos").json()["videos"]
        assert finished_job(client, known["job"]["job_id"])["status"] == "done"
    if not os.environ.get("VISIONLLM_TEST_CHECKPOINT"):
        from visionllm_interaction.analysis import analyze

        analyze([videos[0]], service.store, detections="truth", video_ids=[known["video_id"]])
    page.wait_for_selector(".state.good")
    return str(known["video_id"])


def test_upload_look_ask_and_seek(page: Any, toy_service: RunningService, toy_video: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("Dear diary,\n")
    video_id = upload_by_hand(page, toy_service, toy_video, text)
    page.wait_for_selector(".upload-item .refused")
    assert "cannot be read" in page.inner_text(".uploads"), "one of several uploads fails, and says why"
    with toy_service.client() as client:
        timeline = client.get(f"/v1/videos/{video_id}/timeline").json()
        question = {"question": "How long is the child visible?", "video_id": video_id}
        answer = client.post("/v1/ask", json=question).json()
    until(page, "document.querySelector('.poster img').naturalWidth > 0")
    page.click(".video-link")
    until(page, DRAWN)
    until(page, "document.querySelector('video').readyState >= 2")

    held = [bout for bout in timeline["relations"] if bout["predicate"] == "holding"]
    holding = max(held, key=lambda bout: bout["end_s"] - bout["begin_s"])
    page.mouse.click(*_place_of(page, video_id, holding))
    until(page, AT, holding["begin_s"])
    until(page, _BOXES_DRAWN)

    page.fill(".ask input", question["question"])
    page.keyboard.press("Enter")
    page.wait_for_selector(".claim")
    assert page.inner_text(".claim-text") == answer["claims"][0]["text"]
    page.click(".chip")
    until(page, AT, answer["evidence"][0]["begin_s"])
    assert page.url.endswith(video_id), "evidence of this video does not leave its page"

    assert faults_of(page) == []
    addresses = {address.split("/")[2] for address in page.asked if address.startswith("http")}
    assert addresses == {f"127.0.0.1:{toy_service.port}"}


def test_a_key_opens_the_page_and_logging_out_closes_it(page: Any, service: RunningService) -> None:
    service.start()
    page.goto(service.url)
    page.fill("input[name=key]", "vli_wrong")
    page.click("text=Log in")
    assert "not valid" in page.inner_text("[role=alert]")
    log_in(page, service)
    assert "No videos yet" in page.inner_text(".empty")
    page.click("[aria-label='Use the dark theme']")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("text=Log out")
    page.wait_for_selector("input[name=key]")
    page.goto(f"{service.url}/ui/")
    assert page.url.endswith("/login")


def test_a_failed_job_says_what_to_do_and_is_tried_again(page: Any, service: RunningService, tiny_video: Path) -> None:
    broken = service.folder / "broken.pt"
    detector = Path(service.options[0].split("=", 1)[1])
    service.options.append("serve.max_job_attempts=1")
    service.start()
    kept = detector.read_bytes()
    log_in(page, service)
    detector.write_bytes(b"no detector any more")
    try:
        page.set_input_files(".drop input", str(tiny_video))
        page.wait_for_selector(".state.bad")
        assert page.inner_text(".failure .refused").strip()
        assert "What to do:" in page.inner_text(".failure")
    finally:
        detector.write_bytes(kept)
    page.click(".failure >> text=Try again")
    page.wait_for_selector(".state.good")
    assert not broken.exists() and faults_of(page) == []


_BOXES_DRAWN = """() => {
  const canvas = document.querySelector('.stage canvas');
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value, n) => n % 4 === 3 && value > 0);
}"""
_PLACE = """async ([id, bout]) => {
  const { TimelineModel } = await import('/ui/static/video/timeline_model.js');
  const content = await (await fetch(`/v1/videos/${id}/timeline`)).json();
  const model = new TimelineModel(content);
  const pair = `${bout.subject_track_id}-${bout.object_track_id}`;
  const row = model.rows.find((one) => one.layers.some((layer) => layer.pair === pair));
  const scroller = document.querySelector('.tl-scroll');
  scroller.scrollTop = Math.max(0, row.y - 60);
  const box = scroller.getBoundingClientRect();
  const left = scroller.clientWidth < 560 ? 92 : 158;
  const t = (bout.begin_s + bout.end_s) / 2;
  const x = left + (t / model.duration) * (scroller.clientWidth - left - 12);
  return [box.left + x, box.top + 22 + row.y - scroller.scrollTop + row.height / 2];
}"""


def _place_of(page: Any, video_id: str, bout: dict[str, Any]) -> tuple[float, float]:
    """Where on the screen the middle of a bout is drawn."""
    page.locator(".tl-scroll").scroll_into_view_if_needed()
    x, y = page.evaluate(_PLACE, [video_id, bout])
    return float(x), float(y)
