"""Asks several things of the outside at once, and keeps each answer or error apart."""

from _thread import allocate_lock, start_new_thread

from countermark.core.errors import CountermarkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    Answer = TypeVar("Answer")


# Questions that are worth a thread, and so a connection, of their own: its handshake takes two further round trips.
_EACH = 3


def all_answers(
    questions: "Sequence[Callable[[], Answer]]", threads: int
) -> "list[Answer | CountermarkError]":
    """Put every question, on so many threads at most, and return the answers or errors in their order.

    None is left out because another one failed. Few questions are put one after the other. The threads are bare
    ones: importing ``threading`` would cost a cold start more than most questions do.

    Raises:
        Whatever a question raises that is no CountermarkError: a bug.
    """
    answers: dict[int, Answer | CountermarkError] = {}
    bugs: list[BaseException] = []
    waiting = list(range(len(questions) - 1, -1, -1))

    def serve() -> None:
        while not bugs:
            try:
                number = waiting.pop()  # atomic, so that no two threads take the same
            except IndexError:
                return
            try:
                answers[number] = questions[number]()
            except CountermarkError as error:
                answers[number] = error
            except BaseException as bug:  # noqa: BLE001 - raised again below, in the caller's thread
                bugs.append(bug)

    wanted = -(-len(questions) // _EACH)
    helpers = [_start(serve) for _ in range(min(threads, wanted) - 1)]
    try:
        serve()
    finally:
        for wait in helpers:
            wait()
    if bugs:
        raise bugs[0]
    return [answers[number] for number in range(len(questions))]


def _start(work: "Callable[[], None]") -> "Callable[[], object]":
    """Start a thread; what is returned waits for its end."""
    running = allocate_lock()
    running.acquire()

    def run() -> None:  # pragma: no cover - bare threads are not traced
        try:
            work()
        finally:
            running.release()

    start_new_thread(run, ())
    return running.acquire
