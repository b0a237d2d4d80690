"""Threads in which handlers run while the event loop goes on, with as little as possible between the two.

``ThreadPoolExecutor`` behind ``run_in_executor`` makes two futures, a lock and a chain of callbacks for each call:
some 30 µs, which is more than most of our answers take to make.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Call = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]


class Workers:
    """At most ``count`` threads, started as they are needed, for the coroutines of one event loop."""

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._threads: list[threading.Thread] = []
        self._idle = 0  # threads that wait, less calls that none has taken yet; the loop's alone
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()

    async def run(self, work: Callable[..., T], *words: Any) -> T:
        """Run ``work(*words)`` in a thread; return what it returns, raise what it raises.

        Who is cancelled meanwhile waits no longer; what has not begun by then is not done.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._idle < 1 and len(self._threads) < self._count:
            self._start(loop)
        self._idle -= 1
        self._calls.put((future, work, words))
        return await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._serve, args=(loop,), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
        self._idle += 1

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while call := self._calls.get():
            future, work, words = call
            try:
                result, error = None if future.cancelled() else work(*words), None
            except BaseException as raised:  # noqa: BLE001 - it is the caller's
                result, error = None, raised
            try:
                loop.call_soon_threadsafe(self._done, future, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more
            del call, future, work, words, result, error

    def _done(
        self, future: "asyncio.Future[Any]", result: Any, error: BaseException | None
    ) -> None:
        self._idle += 1
        if future.done():
            return  # cancelled
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def close(self) -> None:
        """Forget the calls that none has taken; threads end with what they are at, and are not waited for."""
        with contextlib.suppress(Empty):
            while True:
                self._calls.get_nowait()
        for _ in self._threads:
            self._calls.put(None)
