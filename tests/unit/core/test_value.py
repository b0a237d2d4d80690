"""Frozen values."""

import pickle

import pytest

from countermark.core.value import Value


class Point(Value):
    x: int
    y: int = 0


class Named(Point):
    name: str

    def _check(self) -> None:
        if not self.name:
            raise ValueError("a name is needed")


def test_fields_come_by_keyword_and_defaults_fill_in() -> None:
    assert (Point(x=1).x, Point(x=1).y) == (1, 0)
    assert Named(x=1, y=2, name="n").name == "n"


def test_equality_is_by_type_and_fields() -> None:
    assert Point(x=1) == Point(x=1, y=0)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Named(x=1, name="n")
    assert Point(x=1) != 1
    assert len({Point(x=1), Point(x=1), Point(x=2)}) == 2


def test_nothing_can_be_changed_or_added() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    with pytest.raises(AttributeError):
        point.z = 3
    assert not hasattr(point, "__dict__")


@pytest.mark.parametrize("given", [{}, {"x": 1, "z": 2}, {"y": 1}])
def test_missing_and_unknown_fields_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(**given)


def test_check_runs_before_anyone_sees_the_value() -> None:
    with pytest.raises(ValueError, match="name is needed"):
        Named(x=1, name="")
    with pytest.raises(ValueError, match="name is needed"):
        Named(x=1, name="n").replace(name="")


def test_replace_repr_and_pickle() -> None:
    point = Point(x=1).replace(y=5)
    assert repr(point) == "Point(x=1, y=5)"
    assert pickle.loads(pickle.dumps(point)) == point
