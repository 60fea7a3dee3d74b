"""A whole day at the page, in Chromium: from logging in to logging out, at two widths by mouse, once by keyboard alone.

``VISIONLLM_WRITE_PICTURES`` names a folder for a picture of every page on the way, in both themes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chromium import axe_source, chromium, open_page
from day_at_the_page import Person, becomes
from long_video import publish_long_video
from running_service import RunningService

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
PROJECT = "dyads"
LONG = "long-200"
SLOW_BYTES_PER_S = 100_000
NOW = "parseFloat(document.querySelector('.tl-scroll').getAttribute('aria-valuenow'))"
DRAWN = "performance.getEntriesByName('timeline-drawn').length"


@dataclass
class Day:
    """What a day has: the service, two films, and who sits before the page."""

    service: RunningService
    client: Any
    films: list[Path]
    person: Person
    first: str = ""
    """Id of the first film, once it is uploaded."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two ToyRoom videos with their truth beside them."""
    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

    room = tmp_path_factory.mktemp("films") / "room"
    made = make_toyroom(room, images=0, videos=2, seed=11, config=ToyRoomConfig(video_seconds=12.0))
    return [one.path for one in made.videos]


@pytest.fixture(params=["1280", "400", "1280-keyboard"])
def day(request: pytest.FixtureRequest, service: RunningService, films: list[Path]) -> Iterator[Day]:
    width, by_keyboard = int(request.param.split("-")[0]), request.param.endswith("keyboard")
    axe = axe_source()
    folder = os.environ.get("VISIONLLM_WRITE_PICTURES")
    service.options.append(f"serve.store_project={PROJECT}")
    publish_long_video(service.store, LONG, hours=2.0, tracks=200, name="visit 12, two hours.mp4")
    service.start()
    with chromium() as browser, service.client() as client:
        page = open_page(browser, width=width)
        yield Day(service, client, films, Person(page, width, by_keyboard, axe, Path(folder) if folder else None))


def test_a_whole_day(day: Day) -> None:
    log_in(day)
    create_a_project(day)
    upload_two_videos_one_of_which_is_interrupted(day)
    watch_progress(day)
    play(day)
    search(day)
    correct_a_box_and_an_identity_switch_and_undo(day)
    ask_and_follow_up_and_jump_to_the_evidence(day)
    confirm_a_role(day)
    pan_two_hours(day)
    plot_a_measure(day)
    export_to_elan_and_csv(day)
    log_out(day)
    assert len(day.person.checked) >= 10, day.person.checked


def log_in(day: Day) -> None:
    day.person.page.goto(day.service.url)
    day.person.check("login")
    day.person.write("input[name=key]", day.service.key)
    day.person.press("button:has-text('Log in')")
    day.person.wait(".drop")
    day.person.wait(".video-row")


def create_a_project(day: Day) -> None:
    day.person.press("button:has-text('New project')")
    day.person.write("#project-name", "visits-2026")
    day.person.press("button:has-text('Create')")
    day.person.wait(".tab[aria-current]:has-text('visits-2026')")
    day.person.wait(".empty:has-text('visits-2026')")
    day.person.check("empty-project")


def upload_two_videos_one_of_which_is_interrupted(day: Day) -> None:
    person, page = day.person, day.person.page
    slow = page.context.new_cdp_session(page)
    line = {"offline": False, "latency": 0, "downloadThroughput": -1}
    slow.send("Network.enable")
    slow.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": SLOW_BYTES_PER_S})
    person.upload(day.films[0])
    person.wait(".upload-item progress")
    arrived = becomes(lambda: next((one["offset"] for one in uploads(day) if one["offset"]), 0))
    page.reload()  # in the middle of the upload
    person.wait(".unfinished")
    person.check("upload-stopped")
    slow.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": -1})
    person.upload(*day.films)
    person.see(
        "() => document.querySelectorAll('.upload-item').length === 2"
        " && [...document.querySelectorAll('.upload-item')].every((one) => one.textContent.includes('sent'))"
    )
    said = page.inner_text(".uploads")
    assert "went on from" in said, f"{arrived} bytes had arrived: {said}"


def uploads(day: Day) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = day.client.get("/v1/uploads").json()["uploads"]
    return found


def watch_progress(day: Day) -> None:
    person = day.person
    person.wait(".video-row .state.busy, .video-row .state.good")
    person.see("() => document.querySelectorAll('.video-row .state.good').length === 2")
    found = {one["name"]: one for one in day.client.get("/v1/videos").json()["videos"]}
    assert {found[film.name]["project"] for film in day.films} == {"visits-2026"}
    day.first = found[day.films[0].name]["video_id"]
    from visionllm_interaction.analysis import analyze

    # The detector of the tests has random weights: what it finds is replaced by what is there.
    ids = [found[film.name]["video_id"] for film in day.films]
    analyze(day.films, day.service.store, detections="truth", video_ids=ids)
    person.see(
        "() => [...document.querySelectorAll('.video-row')].every((one) => / [1-9]\\d* tracks/.test(one.textContent))"
    )
    person.see("() => [...document.querySelectorAll('.poster img')].every((one) => one.naturalWidth > 0)")
    person.check("home")


def play(day: Day) -> None:
    person = day.person
    person.press(f".video-link[href*='{day.first}']")
    person.see(DRAWN)
    person.see("document.querySelector('video').readyState >= 2")
    person.press("button.play")
    person.see("document.querySelector('video').currentTime > 0.6")
    person.press("button.play:has-text('Pause')")
    person.press("button[aria-label='Next processed frame']")
    person.wait(".people canvas")
    person.check("video")


def search(day: Day) -> None:
    person = day.person
    person.write(".tl-find", "holding")
    person.wait(".clips li")
    said = person.page.inner_text(".clips li")
    assert "holding" in said
    person.press(".clips .chip")
    bouts = [one for one in timeline(day)["relations"] if one["predicate"] == "holding"]
    begin = min(one["begin_s"] for one in bouts)
    person.see(f"Math.abs(document.querySelector('video').currentTime - {begin}) < 0.05")
    person.wait("label:has-text('loop this bout')")
    person.check("search")
    person.write(".tl-find", "")


def timeline(day: Day) -> dict[str, Any]:
    found: dict[str, Any] = day.client.get(f"/v1/videos/{day.first}/timeline").json()
    return found


def states(day: Day) -> list[tuple[str, str]]:
    rows = day.client.get(f"/v1/videos/{day.first}/corrections").json()["corrections"]
    return [(f"{one['kind']} {one['action']}", one["state"]) for one in rows]


def correct_a_box_and_an_identity_switch_and_undo(day: Day) -> None:
    person, page = day.person, day.person.page
    person.press("button:text-is('Correct')")
    person.write(".who", "Kari")
    person.press(".here[aria-labelledby='boxes-here'] button")
    person.wait("button:has-text('Move box')")
    side = "fieldset:has-text('Box at') input >> nth=0"
    person.write(side, str(round(float(page.input_value(side)) + 2, 1)))
    person.press("button:text-is('Move box')")
    assert becomes(lambda: states(day)) == [("box set", "applied")]
    person.wait(".made li:has-text('moved')")
    draw_a_new_box(day)
    person.press("button:has-text('Exchange from here')")
    becomes(lambda: ("identity exchange", "applied") in states(day))
    person.wait(".made li:has-text('exchanged from')")
    person.check("corrections")
    page.keyboard.press("Control+z")
    becomes(lambda: ("identity exchange", "undone") in states(day))
    person.wait(".made li.undone:has-text('exchanged from')")
    person.press("button:text-is('Correct')")


def draw_a_new_box(day: Day) -> None:
    """By mouse it is drawn in the picture; by keyboard its sides are given."""
    person, page = day.person, day.person.page
    person.press("button:has-text('New box')")
    person.wait("form[aria-label='New box']")
    if not person.by_keyboard:
        page.locator(".stage").scroll_into_view_if_needed()
        place = page.locator(".stage canvas").bounding_box()
        page.mouse.move(place["x"] + 0.1 * place["width"], place["y"] + 0.1 * place["height"])
        page.mouse.down()
        page.mouse.move(place["x"] + 0.3 * place["width"], place["y"] + 0.4 * place["height"], steps=4)
        page.mouse.up()
        person.see("Math.abs(document.querySelector('form[aria-label=\"New box\"] input[type=number]').value - 64) < 8")
    person.write("form[aria-label='New box'] input[type=text]", "cup")
    person.press("button:text-is('Add box')")
    becomes(lambda: len(states(day)) == 2)
    person.wait(".made li:has-text('New cup')")
    assert "cup" in {one["category"] for one in timeline(day)["tracks"]}


def ask_and_follow_up_and_jump_to_the_evidence(day: Day) -> None:
    person = day.person
    person.write(".ask input", "How long is the child visible?")
    person.page.keyboard.press("Enter")
    person.wait(".turn .claim")
    person.write(".ask input", "And the caregiver?")
    person.page.keyboard.press("Enter")
    person.see(
        "() => document.querySelectorAll('.turn').length === 2 && document.querySelectorAll('.claim').length >= 2"
    )
    assert "caregiver" in person.page.inner_text(".turn .claim-text")
    person.press(".turn .chip")
    person.wait("label:has-text('loop this bout')")
    assert day.first in person.page.url, "evidence of this video does not leave its page"
    person.check("ask")


EXPORTS = (("ELAN (.eaf)", ".eaf", "ANNOTATION_DOCUMENT"), ("CSV", ".csv", "child"))


def export_to_elan_and_csv(day: Day) -> None:
    person = day.person
    person.press(".top a:has-text('Videos')")
    person.press(f".video-link[href*='{day.first}']")
    for label, ending, inside in EXPORTS:
        person.choose(".export-format", label)
        person.press("button:text-is('Export')")
        link = f".export-item a[download$='{ending}']"
        person.page.wait_for_selector(link)
        with person.page.expect_download() as download:
            person.press(link)
        assert inside in Path(download.value.path()).read_text(encoding="utf-8")
    person.check("exports")


def confirm_a_role(day: Day) -> None:
    person = day.person
    total = day.client.get("/v1/roles").json()["total"]
    person.press(".top a:has-text('Review')")
    person.wait(".role-buttons")
    for _ in range(2):  # the people of the two hours, of which there is no film, come first
        if day.films[0].stem[:4] not in person.page.inner_text(".who-is"):
            person.press("button:has-text('Later')")
    person.wait(".crop-strip canvas")
    person.check("review")
    if person.by_keyboard:
        person.page.keyboard.press("c")
    else:
        person.press(".role-buttons button:has-text('Child')")
    becomes(lambda: day.client.get("/v1/roles").json()["total"] == total - 1)
    person.page.keyboard.press("z")
    becomes(lambda: day.client.get("/v1/roles").json()["total"] == total)
    person.page.keyboard.press("a")
    becomes(lambda: day.client.get("/v1/roles").json()["total"] == total - 1)


def pan_two_hours(day: Day) -> None:
    person, page = day.person, day.person.page
    person.press(".top a:has-text('Videos')")
    person.press(f".video-link[href*='{LONG}']")
    person.see(DRAWN)
    for _ in range(4):
        person.press("button[aria-label='Zoom in']")
    begin = "parseFloat(document.querySelector('.tl-pan').value)"
    person.wait(".tl-pan")
    before = page.evaluate(begin)
    if person.by_keyboard:
        person.reach(page.locator(".tl-scroll"))
        for _ in range(3):
            page.keyboard.press("PageDown")
        assert page.evaluate(NOW) > 0
    else:
        page.locator(".tl-scroll").scroll_into_view_if_needed()
        place = page.locator(".tl-scroll").bounding_box()
        page.mouse.move(place["x"] + 0.9 * place["width"], place["y"] + 150)
        page.mouse.down()
        page.mouse.move(place["x"] + 0.4 * place["width"], place["y"] + 120, steps=12)
        page.mouse.up()
    person.see(f"{begin} !== {before}")
    person.check("two-hours")


def plot_a_measure(day: Day) -> None:
    person = day.person
    person.press(".top a:has-text('Measures')")
    person.wait(".plot")
    person.choose(".choices select", "near duration")
    person.see("document.querySelector('.plot')?.getAttribute('aria-label').startsWith('near duration')")
    with person.page.expect_download() as download:
        person.press("button:text-is('Download SVG')")
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("<svg")
    with person.page.expect_download() as download:
        person.press("a:text-is('Download CSV')")
    assert "near_duration" in Path(download.value.path()).read_text(encoding="utf-8")
    assert "visionllm measures" in person.page.inner_text(".command")
    person.check("measures")


def log_out(day: Day) -> None:
    day.person.press("button:has-text('Log out')")
    day.person.wait("input[name=key]")
    day.person.page.goto(f"{day.service.url}/ui/")
    assert day.person.page.url.endswith("/login")
