"""Chromium for tests of the page, and a service in this process that answers from a store."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from running_service import free_port, wait_for

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
]
PATIENCE_S = 120.0
_WATCH = """
window.faults = [];
const note = (event) => window.faults.push(`policy: ${event.violatedDirective} ${event.blockedURI}`);
addEventListener("securitypolicyviolation", note);
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A fresh Chromium; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Any, *, width: int = 1280, height: int = 900, theme: str = "light") -> Any:
    """A page that notes what goes wrong in it (``faults``) and every address it asks for (``asked``)."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
    page.set_default_timeout(PATIENCE_S * 1000)
    page.faults, page.asked = [], []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: _note(page, message))
    page.on("request", lambda request: page.asked.append(request.url))
    page.add_init_script(_WATCH)
    return page


def _note(page: Any, message: Any) -> None:
    if message.type == "error" and "Failed to load resource" not in message.text:  # answers such as 404 are no faults
        page.faults.append(message.text)


def until(page: Any, expression: str, argument: Any = None) -> Any:
    """Evaluate until something true comes. Playwright's own waiting needs ``eval``, which the page's policy forbids."""
    from playwright.sync_api import Error

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            found = page.evaluate(expression, argument)
        except Error as error:  # the page goes to another address just now
            if "context was destroyed" not in str(error):
                raise
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never true: {expression} ({argument})")


def faults_of(page: Any) -> list[str]:
    """Errors of scripts, and what the page's policy has blocked."""
    return [*page.faults, *page.evaluate("window.faults")]


@contextmanager
def page_server(
    folder: Path, store: Path, *, reason: ReasonConfig = ReasonConfig(), port: int | None = None, **settings: Any
) -> Iterator[str]:
    """The address of a service without jobs, and unless told otherwise without keys, in a thread of this process."""
    config = ServeConfig(data_dir=folder / "service", store=store, **{"insecure": True, **settings})
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    app = create_app(config, analysis=AnalysisConfig(), reason=reason)
    port = port or free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", ws="none", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:  # also after a test that failed: the thread would keep the process of the tests from ending
        server.should_exit = True
        thread.join(timeout=30)


def axe_source() -> str:
    """The script of axe-core, from the npm registry or ``VISIONLLM_AXE``; skips the test where neither is there."""
    import subprocess
    import tarfile
    import tempfile

    given = os.environ.get("VISIONLLM_AXE")
    if given:
        return Path(given).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["npm", "pack", "axe-core@4.14.1"], cwd=folder, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            pytest.skip("axe-core is not there: npm cannot be asked for it")
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as content:
            script = content.extractfile("package/axe.min.js")
            assert script is not None
            return script.read().decode()
