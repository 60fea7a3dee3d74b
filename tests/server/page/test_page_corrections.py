"""Correcting a video on its page, in Chromium, by mouse and by keyboard; ``VISIONLLM_PICTURES`` keeps the pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import axe_source, chromium, faults_of, open_page, page_server, until
from moving_scene import BALL, BEGINS_S, CUP, FPS, SIZE, N, publish_return, publish_scene, write_scene_video

from visionllm_interaction.store.corrections.recording import add_correction, list_corrections
from visionllm_interaction.store.reader import open_store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
WHERE = "document.querySelector('.stage canvas').getBoundingClientRect().toJSON()"
TIMELINE = "document.querySelector('.tl-scroll').getBoundingClientRect().toJSON()"
LABELS_PX, END_PX = 158, 12


@pytest.fixture
def store(tmp_path: Path) -> Path:
    source = write_scene_video(tmp_path / "play.mp4")
    publish_scene(tmp_path / "store", source=source)
    publish_scene(tmp_path / "store", "b")
    return tmp_path / "store"


@pytest.fixture
def address(tmp_path: Path, store: Path) -> Iterator[str]:
    with page_server(tmp_path, store, media_dirs=[tmp_path]) as url:
        yield url


def opened(browser: Any, address: str, *, width: int = 1280, theme: str = "light") -> Any:
    page = open_page(browser, width=width, height=1100, theme=theme)
    page.goto(f"{address}/ui/videos/a")
    until(page, "document.querySelector('video')?.readyState >= 2")
    page.click("button:text-is('Correct')")
    page.wait_for_selector(".here button:has-text('ball 3')")
    return page


def states(store: Path) -> list[tuple[str, str]]:
    rows = list_corrections(store, "a").to_dict()["corrections"]
    return [(f"{one['kind']} {one['action']}", one["state"]) for one in rows]


def go_to(page: Any, seconds: int) -> None:
    """By keyboard, second by second from the begin."""
    page.focus(".tl-scroll")
    page.keyboard.press("Home")
    for second in range(seconds + 1):
        until(page, f"Math.abs(document.querySelector('.tl-scroll').getAttribute('aria-valuenow') - {second}) < 0.05")
        until(page, f"Math.abs(document.querySelector('video').currentTime - {second}) < 0.05")
        if second < seconds:
            page.keyboard.press("ArrowRight")


def wait_for_states(page: Any, store: Path, count: int, *, panel: str = ".correct") -> None:
    for _ in range(600):
        if len(states(store)) >= count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never {count} corrections: {states(store)}, {page.inner_text(panel)}")


def on_picture(page: Any, x: float, y: float) -> tuple[float, float]:
    at = page.evaluate(WHERE)
    return at["x"] + x * at["width"] / SIZE[0], at["y"] + y * at["height"] / SIZE[1]


def on_timeline(page: Any, t: float) -> float:
    at = page.evaluate(TIMELINE)
    inner = page.evaluate("document.querySelector('.tl-scroll').clientWidth")
    return at["x"] + LABELS_PX + t * (inner - LABELS_PX - END_PX) * FPS / N


def keep(page: Any, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("VISIONLLM_PICTURES", tmp_path))
    page.screenshot(path=str(folder / f"{name}.png"), full_page=True)


def test_boxes_that_come_late_can_be_chosen(address: str) -> None:
    with chromium() as browser:
        page = open_page(browser, width=1280, height=1100)
        held: list[Any] = []
        page.route("**/detections?*", lambda route: held.append(route))
        page.goto(f"{address}/ui/videos/a")
        until(page, "document.querySelector('video')?.readyState >= 2")
        page.click("button:text-is('Correct')")
        page.wait_for_selector(".here", state="attached")
        for route in held:
            route.continue_()
        page.wait_for_selector(".here button:has-text('ball 3')", timeout=15_000)


def test_boxes_that_failed_are_asked_for_again(address: str) -> None:
    with chromium() as browser:
        page = open_page(browser, width=1280, height=1100)
        failures = iter([500, None])

        def answer(route: Any) -> None:
            status = next(failures, 0)
            if status is None:
                route.abort()
            elif status:
                route.fulfill(status=status, json={"detail": "An internal error."})
            else:
                route.continue_()

        page.route("**/detections?*", answer)
        page.goto(f"{address}/ui/videos/a")
        page.wait_for_selector("[role=alert]:has-text('An internal error.')")
        page.click("button:text-is('Correct')")
        page.wait_for_selector(".here button:has-text('ball 3')", timeout=15_000)
        assert page.query_selector("[role=alert]") is None


def test_boxes_of_before_a_correction_are_not_shown_after_it(address: str, store: Path) -> None:
    add_correction(store, "a", {"kind": "box", "action": "delete", "track_id": BALL}, who="Ola")
    with chromium() as browser:
        page = open_page(browser, width=1280, height=1100)
        asked: list[Any] = []
        held: list[Any] = []

        def answer(route: Any) -> None:
            asked.append(route)
            if len(asked) == 1:
                held.append(route.fetch())
            else:
                route.continue_()

        page.route("**/detections?*", answer)
        page.goto(f"{address}/ui/videos/a")
        page.click("button:text-is('Correct')")
        while not held:
            page.wait_for_timeout(50)
        page.click("button:has-text('Undo')")
        page.wait_for_selector(".here button:has-text('ball 3')")
        assert "ball" not in held[0].json()["category"]
        asked[0].fulfill(response=held[0])
        page.wait_for_timeout(500)
        assert page.query_selector(".here button:has-text('ball 3')") is not None


def test_boxes_identities_and_bouts_by_mouse(address: str, store: Path, tmp_path: Path) -> None:
    with chromium() as browser:
        page = opened(browser, address)
        page.fill(".who", "Kari")
        page.mouse.click(*on_picture(page, 335, 375))
        until(page, "document.querySelector(\".here [aria-pressed='true']\")?.textContent === 'ball 3'")
        page.mouse.move(*on_picture(page, 350, 390))
        page.mouse.down()
        page.mouse.move(*on_picture(page, 380, 420), steps=4)
        page.mouse.up()
        wait_for_states(page, store, 1)
        page.wait_for_selector(".made li:has-text('Box of ball 3 moved')")
        with open_store(store) as read:
            row = next(one for one in read["a"].detections if one.track_id == BALL and one.frame_index == 0)
        assert (abs(row.x2 - 380), abs(row.y2 - 420)) < (2, 2)
        assert row.x1 == 320.0
        assert list_corrections(store, "a").corrections[0].correction.who.startswith("Kari")
        page.keyboard.press("Control+z")
        wait_for_states(page, store, 2)
        assert states(store) == [("box set", "undone"), ("undo undo", "applied")]

        go_to(page, 8)
        page.click(".here button:has-text('ball 3')")
        page.wait_for_selector("legend:has-text('Identity at 8.00 s')")
        page.select_option("fieldset:has-text('Identity') select", str(CUP))
        page.click("button:has-text('Exchange from here')")
        wait_for_states(page, store, 3)
        page.wait_for_selector(".made li:has-text('exchanged from 0:08.00')")
        with open_store(store) as read:
            near = [one for one in read.relations("a") if one.predicate == "near" and one.object_track_id == BALL]
        assert {one.subject_track_id for one in near} == {1, 2}, "the ball is the caregiver's from then on"
        until(page, "document.querySelector('fieldset input').value === '440'")  # where the ball is now
        keep(page, "correct-1280", tmp_path)

        # The bout of near before the exchange: its edge is dragged a second to the left.
        page.focus(".tl-scroll")
        page.keyboard.press("Home")
        said = "[...document.querySelectorAll('.hidden')].some((one) => one.textContent.startsWith('row ↳ ball 3'))"
        for _ in range(20):
            page.keyboard.press("ArrowDown")
            page.wait_for_timeout(50)
            if page.evaluate(said):
                break
        page.keyboard.press("n")
        page.wait_for_selector("[aria-label=Bout] h3:has-text('near')")
        where = page.evaluate(TIMELINE)
        page.mouse.move(on_timeline(page, BEGINS_S), where["y"] + 40)
        page.mouse.down()
        page.mouse.move(on_timeline(page, BEGINS_S - 1), where["y"] + 40, steps=5)
        page.mouse.up()
        until(page, "Math.abs(parseFloat(document.querySelector('[aria-label=Bout] input').value) - 4) < 0.2")
        page.click("button:has-text('Move edges')")
        wait_for_states(page, store, 4)
        with open_store(store) as read:
            bouts = [
                b
                for b in read.relations("a")
                if (b.predicate, b.subject_track_id, b.object_track_id) == ("near", 1, BALL)
            ]
        assert abs(bouts[0].begin_s - 4.0) < 0.2
        assert faults_of(page) == []


def test_by_keyboard_alone(address: str, store: Path, tmp_path: Path) -> None:
    with chromium() as browser:
        page = opened(browser, address, width=400, theme="dark")
        go_to(page, 5)
        page.wait_for_selector(".here button:has-text('cup 4')")
        page.focus(".here button:has-text('cup 4')")
        page.keyboard.press("Enter")
        page.wait_for_selector("h3:has-text('cup 4')")
        page.focus("label:has-text('Category') input")
        page.keyboard.press("Control+a")
        page.keyboard.type("ball")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        wait_for_states(page, store, 1)
        assert states(store) == [("category set", "applied")]
        page.wait_for_selector(".made li:has-text('cup is ball')")
        page.focus(".made button")
        page.keyboard.press("Enter")
        wait_for_states(page, store, 2)
        page.wait_for_selector(".made li.undone")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        keep(page, "correct-400-dark", tmp_path)
        assert faults_of(page) == []


def test_the_timeline_of_a_corrected_video_keeps_focus_search_and_row(address: str, store: Path) -> None:
    add_correction(store, "a", {"kind": "box", "action": "delete", "track_id": BALL}, who="Ola")
    with chromium() as browser:
        page = open_page(browser, width=1280, height=1100)
        page.goto(f"{address}/ui/videos/a")
        until(page, "document.querySelector('video')?.readyState >= 2")
        page.click("button:text-is('Correct')")
        page.wait_for_selector(".made li")
        page.fill(".tl-find", "cup")
        page.focus(".tl-scroll")
        page.keyboard.press("ArrowDown")
        row = page.inner_text(".timeline .hidden[aria-live]")
        assert row.startswith("row ")
        page.keyboard.press("Control+z")
        page.wait_for_selector(".made li.undone")
        page.wait_for_selector(".here button:has-text('ball 3')")
        assert page.evaluate("document.activeElement.className") == "tl-scroll"
        assert page.input_value(".tl-find") == "cup"
        go_to(page, 2)  # the keys still move the time
        page.keyboard.press("ArrowDown")
        assert page.inner_text(".timeline .hidden[aria-live]") != row, "the row after the chosen one"
        assert faults_of(page) == []


def test_somebody_else_was_faster(address: str, store: Path) -> None:
    with chromium() as browser:
        page = opened(browser, address)
        add_correction(store, "a", {"kind": "role", "action": "set", "track_id": 2, "role": "child"}, who="Ola")
        page.click(".here button:has-text('ball 3')")
        page.click("button:has-text('Delete box here')")
        page.wait_for_selector(".correct [role=alert]:has-text('since it was read')")
        page.wait_for_selector(".made li:has-text('Ola')")
        assert len(states(store)) == 1
        page.click("button:has-text('Delete box here')")
        wait_for_states(page, store, 2)
        assert faults_of(page) == []


def test_who_came_back_is_joined_by_one_button(tmp_path: Path) -> None:
    store = tmp_path / "store"
    publish_return(store, source=write_scene_video(tmp_path / "play.mp4"))
    with page_server(tmp_path, store, media_dirs=[tmp_path]) as url, chromium() as browser:
        page = open_page(browser, width=1280, height=1100, theme="light")
        page.goto(f"{url}/ui/videos/a")
        page.click("button:text-is('Same person as track 1')")
        wait_for_states(page, store, 1, panel=".people")
        assert states(store) == [("identity merge", "applied")]
        page.wait_for_selector("button:text-is('Same person as track 1')", state="detached")
        assert "Track 9" not in page.inner_text(".people")
        assert faults_of(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_is_accessible(address: str, store: Path, theme: str) -> None:
    script = axe_source()
    add_correction(store, "a", {"kind": "role", "action": "set", "track_id": 2, "role": "child"}, who="Ola")
    with chromium() as browser:
        page = opened(browser, address, theme=theme)
        page.click(".here button:has-text('ball 3')")
        page.evaluate(script)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        bad = [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")]
        assert bad == [], [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]]
