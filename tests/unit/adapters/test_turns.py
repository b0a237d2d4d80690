"""Turns: one at a time, in order, and whoever gives up is passed over."""

import threading

from countermark.adapters.turns import Turns


def test_in_order() -> None:
    turns, order = Turns(), []
    assert turns.acquire(1)
    threads = []
    for number in range(8):
        came = threading.Event()

        def work(number: int = number, came: threading.Event = came) -> None:
            came.set()
            assert turns.acquire(60)
            order.append(number)
            turns.release()

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        came.wait()
        while len(turns._waiting) <= number:
            pass  # it has said that it comes, and stands in the line in a moment
    turns.release()
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    assert turns.acquire(0)


def test_who_gives_up_is_passed_over() -> None:
    turns = Turns()
    assert turns.acquire(0)
    assert not turns.acquire(0)
    assert not turns.acquire(0.001)
    turns.release()
    assert turns.acquire(0)
    turns.release()
    assert turns.acquire(0)


def test_one_at_a_time() -> None:
    turns, inside, most = Turns(), [0], [0]

    def work() -> None:
        for _ in range(200):
            assert turns.acquire(60)
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1
            turns.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
