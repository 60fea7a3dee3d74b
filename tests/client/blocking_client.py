"""Makes the client that blocks from the one for event loops (``make client``), so that there is one source of both."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

FOLDER = Path(__file__).parents[2] / "src" / "visionllm_interaction" / "client"
SOURCE, MADE = FOLDER / "async_client.py", FOLDER / "blocking_client.py"
NAMES = {
    "AsyncClient": "Client",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncIterator": "Iterator",
    "asynccontextmanager": "contextmanager",
    "aclose": "close",
    "aread": "read",
    "aiter_lines": "iter_lines",
    "asyncio": "time",  # its sleep
}
TEXTS = {
    SOURCE.read_text(encoding="utf-8").splitlines()[
        0
    ]: '"""The client that waits for each answer. Made from async_client.py by ``make client``: do not change it."""',
    '"""As :class:`.blocking_client.Client`, for programs with an event loop: every method is awaited.': (
        '"""A client that waits for each answer.\n\n'
        "    Close it, or use it in a ``with`` statement. It may be shared by threads."
    ),
    ">>> async with AsyncClient(": ">>> with Client(",
    "await client.wait(await client.upload": "client.wait(client.upload",
}
"""Texts in which the two differ: what a tokenizer leaves alone."""


def blocking_client() -> str:
    """The source of the client that blocks."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "async", "client.py"), Path(folder, "blocking", "client.py")
        source.parent.mkdir()
        source.write_text(SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
        rule = unasync.Rule(f"{folder}/async/", f"{folder}/blocking/", additional_replacements=NAMES)
        unasync.unasync_files([str(source)], [rule])
        text = made.read_text(encoding="utf-8")
    for asynchronous, blocking in TEXTS.items():
        assert text.count(asynchronous) == 1, asynchronous
        text = text.replace(asynchronous, blocking)
    return _formatted(text)


def _formatted(text: str) -> str:
    for command in (["check", "--quiet", "--fix", "--select", "I,F811"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(MADE), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    MADE.write_text(blocking_client(), encoding="utf-8")
