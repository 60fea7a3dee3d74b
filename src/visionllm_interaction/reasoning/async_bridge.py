"""Run a coroutine from synchronous code, also where an event loop is already running (a notebook)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine`` to its end and return its result; blocks.

    On a thread without a running event loop this is :func:`asyncio.run`. Where one is running (every notebook cell),
    the coroutine runs in a new thread with a loop of its own, because a running loop cannot be entered again. The
    caller's loop is blocked meanwhile; await the asynchronous function instead where other tasks must go on.

    Args:
        coroutine: work that uses no object bound to the caller's event loop.

    Returns:
        What ``coroutine`` returns.

    Raises:
        Exception: whatever ``coroutine`` raises. When the wait is interrupted, the work is cancelled first.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _run_in_thread(coroutine)


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await coroutine

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="run-sync") as pool:
        done = pool.submit(contextvars.copy_context().run, asyncio.run, main())
        try:
            return done.result()
        except BaseException:
            if not done.done():  # the wait was interrupted, not the coroutine
                loop, task = started.result()
                with contextlib.suppress(RuntimeError):  # the loop may close this very moment
                    loop.call_soon_threadsafe(task.cancel)
            raise
