"""Synchronous waits for asynchronous work: with and without a running event loop, and when interrupted."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import pytest

from visionllm_interaction.reasoning import async_bridge as sync
from visionllm_interaction.reasoning.async_bridge import run_sync

SAID = contextvars.ContextVar("SAID", default="nothing")


async def work() -> tuple[str, str]:
    await asyncio.sleep(0)
    return SAID.get(), threading.current_thread().name


def test_without_a_loop_the_work_runs_on_this_thread() -> None:
    assert run_sync(work()) == ("nothing", threading.current_thread().name)


def test_inside_a_loop_the_work_gets_a_thread_and_keeps_the_context() -> None:
    async def cell() -> tuple[str, str]:
        SAID.set("hello")
        return run_sync(work())

    said, thread = asyncio.run(cell())
    assert said == "hello" and thread != threading.current_thread().name


def test_errors_pass_through_from_inside_a_loop() -> None:
    async def fail() -> None:
        raise KeyError("as it was")

    async def cell() -> None:
        run_sync(fail())

    with pytest.raises(KeyError, match="as it was"):
        asyncio.run(cell())


def test_an_interrupted_wait_cancels_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    async def long_work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    class Interrupted(sync.ThreadPoolExecutor):
        """Its futures behave as if Ctrl-C came while one waits for them."""

        def submit(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            future = super().submit(*args, **kwargs)  # type: ignore[arg-type]

            def interrupted(timeout: float | None = None) -> None:
                raise KeyboardInterrupt

            future.result = interrupted  # type: ignore[method-assign]
            return future

    monkeypatch.setattr(sync, "ThreadPoolExecutor", Interrupted)

    async def cell() -> None:
        with pytest.raises(KeyboardInterrupt):
            run_sync(long_work())

    begin = time.monotonic()
    asyncio.run(cell())
    assert ended == ["cancelled"] and time.monotonic() - begin < 30
