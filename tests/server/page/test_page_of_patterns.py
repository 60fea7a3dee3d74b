"""Plots over all videos, a coding beside the model, and cameras in step, in Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chromium import axe_source, chromium, open_page, page_server, until
from coded_videos import code
from day_at_the_page import Person

from visionllm_interaction.store.reader import open_store, write_codes
from visionllm_interaction.store.sessions.chapters import set_session
from visionllm_interaction.validity.agreement.coding import states_of
from visionllm_interaction.validity.audit.states import intervals_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
OFFSET_S = 2.5
LATE_S = 0.4
LOOKS = ("ball", "caregiver", "cup", "ball", "caregiver", "ball", "book", "ball")
TIMES = "[...document.querySelectorAll('video')].map((one) => one.currentTime)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two cameras of a session; what the child holds was coded as well, a little late."""
    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
    from visionllm_interaction.analysis import analyze

    folder = tmp_path_factory.mktemp("patterns")
    store = folder / "store"
    made = make_toyroom(folder / "films", images=0, videos=2, seed=11, config=ToyRoomConfig(video_seconds=12.0))
    analyze([one.path for one in made.videos], store, detections="truth", video_ids=["room", "corner"])
    set_session(store, "visit-1", ["room"], camera="room", offset_s=0.0)
    set_session(store, "visit-1", ["corner"], camera="corner", offset_s=OFFSET_S)
    for video_id in ("room", "corner"):
        looks = [code("gaze", "child", what, 1.2 * n, 1.2 * n + 0.9) for n, what in enumerate(LOOKS)]
        write_codes(store, video_id, [*looks, *(coded_holding(store) if video_id == "room" else [])])
    with page_server(folder, store, media_dirs=(folder / "films",)) as found:
        yield found


def coded_holding(store: Path) -> list[Any]:
    """What the model calls holding, as somebody codes it who presses the key late."""
    with open_store(store) as opened:
        return [
            replace(code("code", state.subject, str(state.object), begin + LATE_S, end + LATE_S), tier="holding")
            for state in states_of(opened, "room")
            if state.predicate == "holding"
            for begin, end in intervals_of(opened, "room", state).tolist()
        ]


@pytest.fixture(params=["1280", "400", "1280-keyboard"])
def person(request: pytest.FixtureRequest) -> Iterator[Person]:
    width, by_keyboard = int(request.param.split("-")[0]), request.param.endswith("keyboard")
    folder = os.environ.get("VISIONLLM_WRITE_PICTURES")
    with chromium() as browser:
        yield Person(
            open_page(browser, width=width), width, by_keyboard, axe_source(), Path(folder) if folder else None
        )


def test_bouts_and_transitions_of_all_videos(person: Person, address: str) -> None:
    page = person.page
    page.goto(f"{address}/ui/measures")
    person.wait("svg.raster .bout")
    person.wait("svg.heat .cell")
    assert "from ball" in page.get_attribute("svg.heat", "aria-label")
    person.choose("section[aria-labelledby='looks-title'] label:has-text('Show') select", "probabilities")
    person.see("document.querySelector('svg.heat').getAttribute('aria-label').includes('probabilities')")
    person.write(".expression", "near(child, caregiver)")
    page.keyboard.press("Enter")
    person.see(
        "document.querySelector('svg.raster')?.getAttribute('aria-label').startsWith('When near(child, caregiver)')"
    )
    for section, name in (("raster-title", "bouts"), ("looks-title", "look_transitions")):
        for kind, ending in (("button", "svg"), ("a", "csv")):
            with page.expect_download() as download:
                person.press(f"section[aria-labelledby='{section}'] {kind}:text-is('Download {ending.upper()}')")
            content = Path(download.value.path()).read_text(encoding="utf-8")
            assert download.value.suggested_filename == f"{name}.{ending}"
            assert content.startswith("<svg") if ending == "svg" else "," in content
    person.check("patterns")
    person.write(".expression", "total(")
    page.keyboard.press("Enter")
    person.wait("section[aria-labelledby='raster-title'] .refused")
    person.write(".expression", "holding(child)")
    page.keyboard.press("Enter")
    person.wait("svg.raster a[href*='t=']")
    person.press("svg.raster a[href*='t=']")
    person.wait(".tl-scroll")
    assert "/ui/videos/" in page.url


def test_a_coding_beside_the_model_and_cameras_in_step(person: Person, address: str) -> None:
    page = person.page
    page.goto(f"{address}/ui/videos/room")
    person.wait(".pair")
    found = page.request.get(f"{address}/v1/videos/room/comparisons").json()["comparisons"]
    assert len(found) == page.locator(".pair").count() >= 1
    assert f"{found[0]['kappa']:.2f}" in page.locator(".pair strong").first.inner_text()
    person.press(".pair .chip")
    differences = [span for kind in ("only_coded", "only_model") for span in found[0][kind]]
    longest = max(differences, key=lambda span: span[1] - span[0])
    person.see(f"Math.abs({TIMES}[0] - {longest[0]}) < 0.05")
    person.wait(".camera video")
    person.see("[...document.querySelectorAll('video')].every((one) => one.readyState >= 2 && !one.seeking)")
    first, second = page.evaluate(TIMES)
    assert second == pytest.approx(max(first - OFFSET_S, 0), abs=0.02)
    person.press("button.play:has-text('Play')")
    person.see(f"{TIMES}[0] > {OFFSET_S} + {longest[0]} && {TIMES}[1] > 0.3")
    person.press("button.play:has-text('Pause')")
    until(page, f"Math.abs({TIMES}[0] - {OFFSET_S} - {TIMES}[1]) < 0.02")
    person.check("beside")


def test_the_timeline_shows_what_differs(person: Person, address: str) -> None:
    page = person.page
    page.goto(f"{address}/ui/videos/room")
    person.wait(".pair")
    person.wait(".legend .by-people")
    page.focus(".tl-scroll")
    said = []
    for _ in range(8):
        page.keyboard.press("ArrowDown")
        said.append(page.get_attribute(".tl-scroll", "aria-valuetext") or "")
    assert any("✎" in one for one in said) and any("difference" in one for one in said)
