"""What every index of a log keeps, each law a function that is given an empty one."""

from collections.abc import Callable

import pytest

from countermark.core.errors import Code, RefusedError
from countermark.core.ports_sigstore import IndexedEntry, LogIndex, LogState
from countermark.proofs import log
from logs import entry

Law = Callable[[LogIndex], None]
EMPTY = LogState(size=0, root=log.EMPTY_ROOT, settled=0)
ROOTS = [bytes([n]) * 32 for n in range(10)]


def grow(index: LogIndex, *numbers: int, settled: int = 0) -> LogState:
    base = index.state()
    index.append(base, [entry(n, extra=b"x%d" % n) for n in numbers], ROOTS[len(numbers)], settled)
    return index.state()


def conflicts(index: LogIndex, base: LogState, *entries: IndexedEntry) -> None:
    before = index.state()
    with pytest.raises(RefusedError) as caught:
        index.append(base, entries, ROOTS[1], 0)
    assert caught.value.code == Code.VERSION_CONFLICT
    assert index.state() == before
    assert index.unsettled(0) == index.unsettled(0)


def is_empty_at_first(index: LogIndex) -> None:
    assert index.state() == EMPTY
    assert index.find([bytes(32)]) == {}
    assert list(index.unsettled(0)) == []
    assert list(index.search([bytes(16)], 5)) == []
    assert list(index.listed(0, 5)) == []


def takes_entries_in_order(index: LogIndex) -> None:
    assert grow(index, 1, 2, 3) == LogState(size=3, root=ROOTS[3], settled=0)
    assert grow(index, 4) == LogState(size=4, root=ROOTS[1], settled=0)
    assert [body for body, _ in index.unsettled(0)] == [entry(n).body for n in (1, 2, 3, 4)]
    assert list(index.unsettled(2)) == [(entry(n).body, b"x%d" % n) for n in (3, 4)]
    found = index.find([entry(n).identity for n in (4, 2, 9)])
    assert found == {entry(4).identity: 3, entry(2).identity: 1}


def takes_nothing_on_another_state(index: LogIndex) -> None:
    base = grow(index, 1)
    conflicts(index, EMPTY, entry(2))
    conflicts(index, base.replace(root=ROOTS[9]), entry(2))
    conflicts(index, base.replace(size=5), entry(2))
    assert index.find([entry(2).identity]) == {}


def takes_no_identity_twice(index: LogIndex) -> None:
    base = grow(index, 1)
    conflicts(index, base, entry(2), entry(1))
    assert index.find([entry(2).identity]) == {}
    assert [body for body, _ in index.unsettled(0)] == [entry(1).body]


def drops_bodies_that_are_settled(index: LogIndex) -> None:
    grow(index, *range(5))
    assert grow(index, 7, settled=3) == LogState(size=6, root=ROOTS[1], settled=3)
    assert [body for body, _ in index.unsettled(0)] == [entry(n).body for n in (3, 4, 7)]
    assert index.find([entry(0).identity]) == {entry(0).identity: 0}


def finds_many_at_once(index: LogIndex) -> None:
    numbers = range(1200)
    index.append(EMPTY, [entry(n) for n in numbers], ROOTS[1], 0)
    found = index.find([entry(n).identity for n in range(2000)])
    assert found == {entry(n).identity: n for n in numbers}
    assert list(index.search([entry(n).terms[0] for n in range(1100)], 2000)) == [*range(1100)]


def is_searched_by_terms(index: LogIndex) -> None:
    shared, own = b"s" * 16, b"o" * 16
    entries = [entry(n).replace(terms=(shared, own) if n == 2 else (shared,)) for n in range(5)]
    index.append(EMPTY, [*entries, entry(9).replace(terms=())], ROOTS[1], 0)
    assert list(index.search([shared], 9)) == [0, 1, 2, 3, 4]
    assert list(index.search([shared], 2)) == [0, 1]
    assert list(index.search([own, b"n" * 16], 9)) == [2]
    listed = [(2, entries[2].identity, frozenset((shared, own)))]
    assert list(index.listed(2, 1)) == listed
    assert index.listed(4, 9)[1] == (5, entry(9).identity, frozenset())


def takes_nothing_once_frozen(index: LogIndex) -> None:
    base = grow(index, 1)
    index.freeze()
    index.freeze()
    assert index.state() == base.replace(is_frozen=True)
    conflicts(index, base, entry(2))
    conflicts(index, index.state(), entry(2))


def lets_one_in_at_a_time(index: LogIndex) -> None:
    with index.exclusive():
        assert index.state() == EMPTY
    with index.exclusive():
        grow(index, 1)


EACH: list[Law] = [
    is_empty_at_first,
    takes_entries_in_order,
    takes_nothing_on_another_state,
    takes_no_identity_twice,
    drops_bodies_that_are_settled,
    finds_many_at_once,
    is_searched_by_terms,
    takes_nothing_once_frozen,
    lets_one_in_at_a_time,
]


def check_apart(one: LogIndex, other: LogIndex) -> None:
    """Two logs in one database know nothing of each other."""
    grow(one, 1, 2)
    grow(other, 2, 3, 4)
    assert (one.state().size, other.state().size) == (2, 3)
    assert one.find([entry(2).identity]) == {entry(2).identity: 1}
    assert other.find([entry(2).identity]) == {entry(2).identity: 0}
    assert list(one.search([entry(3).terms[0]], 5)) == []
    assert len(other.unsettled(0)) == 3
    other.freeze()
    assert not one.state().is_frozen
