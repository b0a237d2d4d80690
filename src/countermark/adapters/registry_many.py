"""Fetches many small things of one repository at once, and keeps each answer or error apart.

What may lie beside an image is a list of digests, and each of them is a question of its own. They are put a batch
at a time without waiting for the answers in between, and on more connections where answers take long.
"""

from _thread import allocate_lock, start_new_thread
from time import monotonic

from countermark.core import limits
from countermark.core.errors import Code, CountermarkError, MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from countermark.adapters.http_exchange import Answer
    from countermark.adapters.registry_requests import Call, RegistryRequests
    from countermark.core.reference import Repository

    Part = TypeVar("Part")
    T = TypeVar("T")
    Question = tuple[Call, int, Callable[[Answer], T]]

# Questions put ahead on one connection, a round trip for all of them. A registry answers one after the other on each,
# so few are spread over several connections before many go over one.
_LEAST, _MOST = 4, 16
# What has to be left for each connection before another one is opened: a handshake takes three round trips, and near
# registries, where they are nothing, some milliseconds of both sides.
_WORTH_SECONDS = 0.02


def all_answers(
    requests: "RegistryRequests",
    repository: "Repository",
    questions: "Sequence[Question[T]]",
    at_once: int,
) -> "list[T | CountermarkError]":
    """Put every question, and return what was read from the answers, or the errors, in their order.

    A question is a call, how many bytes its answer is said to have, and what reads it. ``at_once`` is how many
    connections there may be. None is left out because another one failed.

    Raises:
        Whatever a reader raises that is no CountermarkError: a bug.
    """

    def asked(batch: "Sequence[Question[T]]") -> "list[T | CountermarkError]":
        most = limits.AHEAD_ANSWER_BYTES  # longer ones come alone, so that few are in memory unread
        short = [call for call, size, _ in batch if size <= most]
        came = iter(requests.ahead(repository, short) if len(short) > 1 else ())
        found: list[T | CountermarkError] = []
        for call, size, read in batch:
            answer = next(came, None) if size <= most else None
            try:
                found.append(read(answer or requests.answer(repository, call, 200)))
            except CountermarkError as error:
                found.append(error)
        return found

    size = min(max(-(-len(questions) // at_once), _LEAST), _MOST)
    batches = [questions[at : at + size] for at in range(0, len(questions), size)]
    return [each for answers in side_by_side(asked, batches, at_once) for each in answers]


class Allowance:
    """How many bytes all answers together may have."""

    def __init__(self, count: int) -> None:
        self._count, self._left, self._lock = count, count, allocate_lock()

    def take(self, content: bytes) -> bytes:
        """Return what was read, if it is within.

        Raises:
            MalformedError: ``too-large``.
        """
        with self._lock:
            self._left -= len(content)
            if self._left < 0:
                raise MalformedError(
                    f"all together are longer than {self._count} bytes", code=Code.TOO_LARGE
                )
        return content


# Threads ----------------------------------------------------------------------------------------------


def side_by_side(
    work: "Callable[[Part], T]",
    parts: "Sequence[Part]",
    threads: int,
    ticks: "Callable[[], float]" = monotonic,
) -> "list[T]":
    """Do some work on each part, and return the results in their order.

    The caller's thread begins alone; others join it, ``threads`` in all at most, while what is left would take long.
    They are bare ones: importing ``threading`` would cost a cold start more than most questions do.

    Raises:
        Whatever the work raises; then no further part is begun.
    """
    shared = _Shared(work, parts)
    helpers: list[Callable[[], object]] = []
    started, done = ticks(), 0
    try:
        while shared.next():
            done += 1
            seconds = len(shared.waiting) * (ticks() - started) / done
            while len(helpers) + 1 < threads and seconds > _WORTH_SECONDS * (len(helpers) + 1):
                helpers.append(_start(shared.rest))
    finally:
        for wait in helpers:
            wait()
    return shared.all_results()


class _Shared:
    """Work that several threads take parts of."""

    def __init__(self, work: "Callable[[Any], Any]", parts: "Sequence[Any]") -> None:
        self._work, self._parts = work, parts
        self._results: dict[int, Any] = {}
        self._bugs: list[BaseException] = []
        self.waiting = list(range(len(parts) - 1, -1, -1))

    def next(self) -> bool:
        """Do the next part; False where there is none, or one has failed."""
        if self._bugs:
            return False
        try:
            number = self.waiting.pop()  # atomic, so that no two threads take the same
        except IndexError:
            return False
        try:
            self._results[number] = self._work(self._parts[number])
        except BaseException as bug:  # noqa: BLE001 - raised again in the caller's thread
            self._bugs.append(bug)
        return True

    def rest(self) -> None:
        """Do all parts that no other thread does."""
        while self.next():
            pass

    def all_results(self) -> "list[Any]":
        """The results, once all threads are through; raises what the work raised."""
        if self._bugs:
            raise self._bugs[0]
        return [self._results[number] for number in range(len(self._parts))]


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
