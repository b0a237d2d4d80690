"""Asking several things at once: every answer and every error in its place."""

from _thread import allocate_lock, get_ident
from collections.abc import Callable
from functools import partial

import pytest

from countermark.core.errors import CountermarkError, NotFoundError, UnavailableError
from countermark.schemes.cosign.asking import all_answers


@pytest.mark.parametrize("threads", [1, 2, 8, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 9, 50])
def test_answers_come_in_order(count: int, threads: int) -> None:
    questions = [lambda n=n: n * n for n in range(count)]
    assert all_answers(questions, threads) == [n * n for n in range(count)]


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_is_an_answer_and_stops_no_other(threads: int) -> None:
    errors = [NotFoundError("none"), UnavailableError("away")]

    def fail(error: CountermarkError) -> Callable[[], int]:
        def ask() -> int:
            raise error

        return ask

    questions: list[Callable[[], int]] = [fail(errors[0]), lambda: 1, fail(errors[1]), lambda: 2]
    assert all_answers(questions, threads) == [errors[0], 1, errors[1], 2]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_bug_is_raised(threads: int) -> None:
    def bug() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        all_answers([lambda: 1, bug, lambda: 2], threads)


def test_questions_wait_for_each_other_only_where_there_are_too_few_threads() -> None:
    """The first three each hold a lock that the next one lets go: one thread alone would never end."""
    gates = [allocate_lock() for _ in range(3)]
    for gate in gates:
        gate.acquire()
    seen: set[int] = set()

    def ask(number: int) -> int:
        if number > 2:
            return number
        seen.add(get_ident())
        if number < 2:
            assert gates[number].acquire(timeout=30)
        if number > 0:
            gates[number - 1].release()
        return number

    questions = [partial(ask, number) for number in range(9)]
    assert all_answers(questions, 3) == list(range(9))
    assert len(seen) == 3


@pytest.mark.parametrize(("count", "most"), [(1, 1), (3, 1), (4, 2), (9, 3), (40, 8)])
def test_few_questions_are_not_worth_a_connection(count: int, most: int) -> None:
    seen: set[int] = set()

    def ask() -> None:
        seen.add(get_ident())

    all_answers([ask] * count, 8)
    assert 1 <= len(seen) <= most
