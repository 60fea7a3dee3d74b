"""The pages of data and training in Chromium: issues with images, curves, trials, worst images, another detector."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import axe_source, chromium, open_page, page_server
from day_at_the_page import Person, becomes
from toyroom_run import FAULTS, evaluate_run, make_run, write_study

from visionllm_interaction.store.writer import prepare_store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
COMPARISON_S = 900.0
"""Two processes load their libraries and detect in all images, on a machine that may be busy."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one data set; the first has a study and an evaluation."""
    folder = tmp_path_factory.mktemp("runs")
    first = make_run(folder, images=12, epochs=3)
    evaluate_run(first)
    write_study(first)
    make_run(folder, images=12, epochs=1, seed=6)
    return folder / "artifacts"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, runs: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("service")
    prepare_store(folder / "store")
    serving = _runs_of(runs)[0] / "model_trainer" / "fasterrcnn_best.pt"
    with page_server(folder, folder / "store", artifacts_dir=runs, detector=serving, device="cpu") as found:
        yield found


def _runs_of(runs: Path) -> list[Path]:
    return sorted(one for one in runs.iterdir() if (one / "model_trainer").is_dir())


@pytest.fixture(params=["1280", "400", "1280-keyboard"])
def person(request: pytest.FixtureRequest) -> Iterator[Person]:
    width, by_keyboard = int(request.param.split("-")[0]), request.param.endswith("keyboard")
    folder = os.environ.get("VISIONLLM_WRITE_PICTURES")
    with chromium() as browser:
        yield Person(
            open_page(browser, width=width), width, by_keyboard, axe_source(), Path(folder) if folder else None
        )


LOADED = "[...document.querySelectorAll('.gallery img')].filter((one) => one.complete && one.naturalWidth > 0).length"


def test_from_the_issues_to_another_detector(person: Person, address: str, runs: Path) -> None:
    page = person.page
    page.goto(f"{address}/ui/training")
    person.wait(".runs tbody tr")
    assert page.locator(".runs tbody tr").count() == 2
    person.check("training")
    person.press(f".runs a[href$='{_runs_of(runs)[0].name}']")
    look_at_issues(person)
    assert page.locator("svg.plot polyline").count() >= 3, "a curve for AP, one for the loss, those of its parts"
    assert page.locator(".best-row").count() == 1
    page.locator("#worst-title").scroll_into_view_if_needed()
    person.wait("section[aria-labelledby='worst-title'] .picture")
    look_at_a_picture(person)
    person.press(".model-card summary")
    person.wait(".model-card[open] table")
    person.check("run")
    person.press("a:text-is('All runs')")
    person.wait(".detector")
    compare_a_detector(person)


def look_at_issues(person: Person) -> None:
    person.wait(".issue")
    codes = set(person.page.locator(".issue summary code").all_inner_texts())
    assert codes >= FAULTS
    person.press(".issue:has-text('BOX-NEGATIVE-ORIGIN') summary")
    person.wait(".issue[open] .gallery .picture")
    person.page.locator(".issue[open] .gallery").scroll_into_view_if_needed()
    person.see(f"{LOADED} >= 1")


def look_at_a_picture(person: Person) -> None:
    person.press("section[aria-labelledby='worst-title'] .picture-button")
    person.wait("dialog.large-picture[open] img")
    person.page.keyboard.press("Escape")
    person.see("!document.querySelector('dialog.large-picture[open]')")


def compare_a_detector(person: Person) -> None:
    """The tiny detectors have learned nothing, so that the gates judge noise: what counts is that they judge."""
    person.press("button:has-text('Let it serve')")
    person.wait(".compare")
    person.press("button:has-text('Compare, then change')")
    person.wait(".last-change .state.busy")  # what is shown before is the change before
    becomes(lambda: person.page.locator(".last-change .state.busy").count() == 0, seconds=COMPARISON_S)
    assert person.page.inner_text(".last-change .state") in ("serves now", "refused by the gates")
    assert person.page.locator(".gates li").count() == 4
    person.check("detector-compared")
