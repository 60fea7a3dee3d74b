"""The page in a browser. ``VISIONLLM_TEST_CHECKPOINT`` names a trained detector for the image in the docs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_service import REPO, RunningService, finished_job

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 120_000


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a fresh Chromium that notes what goes wrong in it, and every address it asks for."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.faults = []
        page.asked = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
        page.on("request", lambda request: page.asked.append(request.url))
        yield page
        browser.close()


@pytest.fixture
def toy_service(service: RunningService, toy_video: Path) -> RunningService:
    """A running service; with a trained detector if there is one, else its store is filled from the truth."""
    trained = os.environ.get("VISIONLLM_TEST_CHECKPOINT")
    if trained:
        service.options[0] = f"serve.detector={trained}"
        service.options.pop()  # look at every frame
    service.start()
    return service


def upload_by_hand(page: Any, service: RunningService, video: Path) -> str:
    """Log in, drop the video on the page, wait until it is analysed; returns its id."""
    page.goto(service.url)
    page.fill("input[name=key]", service.key)
    page.click("button")
    page.wait_for_selector(".drop")
    page.set_input_files(".drop input", str(video))
    page.wait_for_selector(".video-row")
    with service.client() as client:
        [known] = client.get("/v1/videos").json()["videos"]
        assert finished_job(client, known["job"]["job_id"])["status"] == "done"
    if not os.environ.get("VISIONLLM_TEST_CHECKPOINT"):
        from visionllm_interaction.analysis import analyze

        analyze([video], service.store, detections="truth", video_ids=[known["video_id"]])
    page.wait_for_selector(".state.good")
    return str(known["video_id"])


def test_upload_look_ask_and_seek(page: Any, toy_service: RunningService, toy_video: Path) -> None:
    video_id = upload_by_hand(page, toy_service, toy_video)
    with toy_service.client() as client:
        timeline = client.get(f"/v1/videos/{video_id}/timeline").json()
        answer = client.post("/v1/ask", json={"question": "How long is the child visible?"}).json()
    page.click(".video-row")
    page.wait_for_selector(".timeline svg")
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert page.locator(".timeline .label:not(.sub)").count() == len(timeline["tracks"]) + bool(timeline["events"])
    assert page.locator(".timeline .mark").count() == len(timeline["events"])

    # Drawn above near and in contact, so that a click in the middle of its bar is a click on it.
    held = [bout for bout in timeline["relations"] if bout["predicate"] == "holding"]
    holding = max(held, key=lambda bout: bout["end_s"] - bout["begin_s"])
    label = f"{holding['predicate'].replace('in_contact', 'in contact with')} "
    title = page.locator(".timeline title", has_text=f"{holding['begin_s']:.2f}–{holding['end_s']:.2f}").filter(
        has_text=label
    )
    title.first.locator("..").click()
    page.wait_for_function(
        "begin => Math.abs(document.querySelector('video').currentTime - begin) < 0.01", arg=holding["begin_s"]
    )
    page.wait_for_function(_BOXES_DRAWN)

    page.fill(".ask input", "How long is the child visible?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".claim")
    assert page.inner_text(".claim-text") == answer["claims"][0]["text"]
    evidence = answer["evidence"][0]
    page.click(".chip")
    page.wait_for_function(
        "begin => Math.abs(document.querySelector('video').currentTime - begin) < 0.01", arg=evidence["begin_s"]
    )
    page.wait_for_selector(".timeline .interval")

    _picture(page, timeline)
    assert page.faults == []
    assert {address.split("/")[2] for address in page.asked if address.startswith("http")} == {
        f"127.0.0.1:{toy_service.port}"
    }


def test_a_text_is_refused_on_the_page(page: Any, service: RunningService, tmp_path: Path) -> None:
    service.start()
    text = tmp_path / "notes.mp4"
    text.write_text("Dear diary,\n")
    page.goto(service.url)
    page.fill("input[name=key]", "vli_wrong")
    page.click("button")
    assert "not valid" in page.inner_text("[role=alert]")
    page.fill("input[name=key]", service.key)
    page.click("button")
    page.set_input_files(".drop input", str(text))
    page.wait_for_selector(".upload-item .refused")
    assert "cannot be read" in page.inner_text(".upload-item")
    page.click("text=Log out")
    page.wait_for_selector("input[name=key]")
    page.goto(f"{service.url}/ui/")
    assert page.url.endswith("/login")


_BOXES_DRAWN = """() => {
  const canvas = document.querySelector('.stage canvas');
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value, n) => n % 4 === 3 && value > 0);
}"""


def _picture(page: Any, timeline: dict[str, Any]) -> None:
    """The image in the docs: a moment in which something is held, the answer beside it."""
    held = [bout for bout in timeline["relations"] if bout["predicate"] == "holding"] or timeline["relations"]
    longest = max(held, key=lambda bout: bout["end_s"] - bout["begin_s"])
    moment = (longest["begin_s"] + longest["end_s"]) / 2
    page.evaluate("moment => { document.querySelector('video').currentTime = moment }", moment)
    page.wait_for_timeout(1500)
    page.mouse.move(5, 5)
    target = REPO / "docs" / "pictures" / "service-video.png"
    if os.environ.get("VISIONLLM_WRITE_PICTURES"):
        page.screenshot(path=str(target), full_page=True)
