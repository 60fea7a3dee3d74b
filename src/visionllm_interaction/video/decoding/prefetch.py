"""Run an iterator in a thread, a bounded number of items ahead of its consumer."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")
_WAIT_S = 0.1


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Producer(threading.Thread, Generic[T]):
    def __init__(self, source: Iterable[T], depth: int) -> None:
        super().__init__(name="decode-ahead", daemon=True)
        self.queue: Queue[T | _End] = Queue(maxsize=depth)
        self.stopped = threading.Event()
        self._source = source

    def run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if not self._put(item):
                    return
        except BaseException as caught:  # noqa: BLE001  (handed to the consumer, who raises it)
            error = caught
        finally:
            # A generator that is not read to its end is closed here, in the thread that ran it.
            close = getattr(self._source, "close", None)
            if close is not None:
                close()
        self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        while not self.stopped.is_set():
            try:
                self.queue.put(item, timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False


def read_ahead(source: Iterable[T], *, depth: int) -> Generator[T]:
    """Yield the items of ``source`` in order, at most ``depth`` of them made in advance.

    An exception in ``source`` is raised here. When the consumer stops early, the thread stops too.
    """
    producer: _Producer[T] = _Producer(source, depth)
    producer.start()
    try:
        while True:
            item = producer.queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        producer.stopped.set()
        _drain(producer.queue)
        producer.join()


def _drain(queue: Queue[T | _End]) -> None:
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
