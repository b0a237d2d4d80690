"""Threads for an event loop: what work returns or raises comes back, and no more run than may."""

import asyncio
import threading

import pytest

from countermark.adapters.http_workers import Workers

WAIT_SECONDS = 30.0


def ident(_: int = 0) -> int:
    return threading.get_ident()


def test_what_work_returns_comes_back_from_another_thread() -> None:
    async def main() -> None:
        workers = Workers(3, "worker")
        assert await workers.run(divmod, 7, 2) == (3, 1)
        assert await workers.run(ident) != threading.get_ident()
        workers.close()

    asyncio.run(main())


def test_what_work_raises_comes_back_and_the_thread_goes_on() -> None:
    async def main() -> None:
        workers = Workers(1, "worker")
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await workers.run(divmod, 1, 0)
        assert await workers.run(divmod, 1, 1) == (1, 0)
        workers.close()

    asyncio.run(main())


@pytest.mark.parametrize(("count", "calls"), [(1, 5), (3, 3), (3, 20)])
def test_as_many_threads_as_needed_and_no_more_than_may(count: int, calls: int) -> None:
    async def main() -> None:
        workers, gate = Workers(count, "worker"), threading.Event()
        running, most, lock = 0, 0, threading.Lock()

        def work() -> int:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if most == min(count, calls):
                    gate.set()  # all that may be are here
            assert gate.wait(WAIT_SECONDS)
            with lock:
                running -= 1
            return threading.get_ident()

        found = await asyncio.gather(*(workers.run(work) for _ in range(calls)))
        assert most == len(set(found)) == min(count, calls)
        workers.close()

    asyncio.run(main())


def test_one_thread_is_enough_for_calls_one_after_the_other() -> None:
    async def main() -> None:
        workers = Workers(8, "worker")
        assert len({await workers.run(ident) for _ in range(20)}) == 1
        workers.close()

    asyncio.run(main())


def test_a_thread_that_cannot_be_had_is_that_calls_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        workers = Workers(2, "worker")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError):
                await workers.run(ident)
        assert await workers.run(ident) != threading.get_ident()
        workers.close()

    asyncio.run(main())


def test_who_is_cancelled_waits_no_longer() -> None:
    async def main() -> None:
        workers, gate = Workers(1, "worker"), threading.Event()
        stuck = asyncio.create_task(workers.run(gate.wait, WAIT_SECONDS))
        after = asyncio.create_task(workers.run(ident))
        await asyncio.sleep(0)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        gate.set()
        await after  # the thread has done the work of who was cancelled, and goes on
        workers.close()

    asyncio.run(main())


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    done: list[int] = []

    async def main() -> None:
        workers, gate = Workers(1, "worker"), threading.Event()
        stuck = asyncio.create_task(workers.run(gate.wait, WAIT_SECONDS))
        given_up = asyncio.create_task(workers.run(done.append, 1))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        gate.set()
        await stuck
        await workers.run(done.append, 2)
        assert done == [2]
        workers.close()

    asyncio.run(main())


def test_what_is_closed_ends_and_does_not_begin_what_waits() -> None:
    done: list[int] = []

    async def main() -> list[threading.Thread]:
        workers, gate, begun = Workers(1, "worker"), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            assert gate.wait(WAIT_SECONDS)

        tasks = [
            asyncio.create_task(workers.run(work)),
            asyncio.create_task(workers.run(done.append, 1)),
        ]
        await asyncio.sleep(0)
        assert begun.wait(WAIT_SECONDS)
        workers.close()
        gate.set()
        await tasks[0]
        tasks[1].cancel()
        return list(workers._threads)

    for thread in asyncio.run(main()):
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
    assert done == []


def test_a_thread_outlives_the_loop_that_it_worked_for() -> None:
    gate, begun = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert gate.wait(WAIT_SECONDS)

    async def main() -> list[threading.Thread]:
        workers = Workers(1, "worker")
        task = asyncio.create_task(workers.run(work))
        await asyncio.sleep(0)
        assert begun.wait(WAIT_SECONDS)  # what has not begun would not be done at all
        task.cancel()
        return list(workers._threads)

    (thread,) = asyncio.run(main())
    gate.set()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
