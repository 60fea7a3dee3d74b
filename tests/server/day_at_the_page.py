"""How somebody uses the page: by mouse, or by keyboard alone; and what is checked of every page on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromium import PATIENCE_S, faults_of, until

MOST_TABS = 250
_IS_FOCUSED = "element => element === document.activeElement"


@dataclass
class Person:
    """Somebody in front of a page.

    Attributes:
        page: the page.
        width: its width in pixels.
        by_keyboard: whether nothing is clicked, and nothing focused but by Tab.
        axe: the script of axe-core.
        pictures: where screenshots are kept; None: nowhere.
    """

    page: Any
    width: int
    by_keyboard: bool
    axe: str
    pictures: Path | None = None
    checked: list[str] = field(default_factory=list)

    def press(self, selector: str) -> None:
        """Click something; by keyboard, go to it with Tab and press Enter."""
        found = self.page.locator(selector).first
        found.wait_for(state="visible")
        if not self.by_keyboard:
            found.click()
            return
        self.reach(found)
        self.page.keyboard.press("Enter")

    def reach(self, found: Any) -> None:
        """Press Tab until something has the focus."""
        for _ in range(MOST_TABS):
            if found.evaluate(_IS_FOCUSED):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {found}")

    def write(self, selector: str, text: str) -> None:
        """Put a text into a field."""
        found = self.page.locator(selector).first
        found.wait_for(state="visible")
        if not self.by_keyboard:
            found.fill(text)
            return
        self.reach(found)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, selector: str, label: str) -> None:
        """Choose an entry of a list; by keyboard, by its first letters."""
        found = self.page.locator(selector).first
        if not self.by_keyboard:
            found.select_option(label=label)
            return
        self.reach(found)
        self.page.keyboard.type(label, delay=5)
        self.page.keyboard.press("Tab")
        chosen = found.evaluate("element => element.selectedOptions[0].textContent.trim()")
        assert chosen == label, f"{chosen} was chosen in place of {label}"

    def upload(self, *files: Path) -> None:
        """Choose files to upload."""
        selector = ".drop input[type=file]"
        if not self.by_keyboard:
            self.page.set_input_files(selector, [str(file) for file in files])
            return
        self.reach(self.page.locator(selector))
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Space")
        chooser.value.set_files([str(file) for file in files])

    def check(self, name: str) -> None:
        """No serious fault of accessibility in either theme, nothing wider than the screen, no error; a picture."""
        for theme in ("dark", "light"):
            self.page.emulate_media(color_scheme=theme)
            self.page.wait_for_timeout(250)  # colours change slowly
            self.page.evaluate(self.axe)
            found = self.page.evaluate("axe.run().then((result) => result.violations)")
            bad = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
            assert bad == [], f"{name}, {theme}: {bad}"
            self._keep(name, theme)
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.width, f"{name} is {wide} pixels wide"
        assert faults_of(self.page) == [], name
        self.checked.append(name)

    def _keep(self, name: str, theme: str) -> None:
        if self.pictures is None or self.by_keyboard:
            return
        from io import BytesIO

        from PIL import Image

        narrow = "" if self.width > 1000 else f"-{self.width}"
        self.page.evaluate("scrollTo(0, 0)")
        with Image.open(BytesIO(self.page.screenshot(full_page=True))) as image:
            image.convert("RGB").save(self.pictures / f"page-{name}{narrow}-{theme}.webp", quality=82, method=6)

    def see(self, expression: str, argument: Any = None) -> Any:
        """Wait until an expression is true of the page."""
        return until(self.page, expression, argument)

    def wait(self, selector: str) -> None:
        """Wait until something is there."""
        self.page.wait_for_selector(selector, state="attached")


def becomes(look: Any, *, seconds: float = PATIENCE_S) -> Any:
    """Call until it gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")
