"""Frozen values that cost no start-up time.

``dataclasses`` costs a cold start some 50 ms (it pulls in ``inspect`` and compiles methods per class);
this metaclass does what we need of it. Type checkers see a frozen, keyword-only dataclass (PEP 681).

No module on the way of a cold ``verify`` imports ``typing`` at run time (3 ms): they set
``TYPE_CHECKING = False``, a name that type checkers take to be true, and import it under that.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """Stand in for ``typing.dataclass_transform``, which only type checkers read."""
        return lambda cls: cls


def _own_fields(namespace: "dict[str, Any]") -> list[str]:
    annotate = namespace.get("__annotate_func__") or namespace.get("__annotate__")
    if annotate is not None:  # Python 3.14: annotations are a function (PEP 649)
        import annotationlib  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        names = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    else:
        names = namespace.get("__annotations__", {})
    return [name for name in names if not name.startswith("__")]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class ValueType(type):
    """Turns a class's annotations into slots and keyword-only fields."""

    _fields: tuple[str, ...]
    _defaults: "dict[str, Any]"
    _puts: "tuple[tuple[str, Callable[[Value, object], None]], ...]"

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: "dict[str, Any]"
    ) -> "ValueType":
        """Make the class: inherited fields first, then its own in the order written."""
        fields: list[str] = []
        defaults: dict[str, Any] = {}
        for base in bases:
            if isinstance(base, ValueType):
                fields += [f for f in base._fields if f not in fields]
                defaults.update(base._defaults)
        own = [f for f in _own_fields(namespace) if f not in fields]
        for field in own:
            if field in namespace:
                defaults[field] = namespace.pop(field)
        namespace["__slots__"] = tuple(own)
        namespace["_fields"] = (*fields, *own)
        namespace["_defaults"] = defaults
        namespace["__match_args__"] = ()
        made = super().__new__(mcs, name, bases, namespace)
        # a slot sets itself in half the time that object.__setattr__ needs to find it
        made._puts = tuple((f, getattr(made, f).__set__) for f in made._fields)
        return made


class Value(metaclass=ValueType):
    """A frozen value with keyword-only fields, equal to another of its type with equal fields.

    A subclass may define ``_check``, which is called once all fields are set and raises where the
    value would be wrong, so that no half-valid value ever exists.
    """

    def __init__(self, **given: "Any") -> None:
        """Set each field from its keyword, else from its default.

        Raises:
            TypeError: a field is missing or unknown (a mistake of the caller's code).
        """
        cls = type(self)
        values = cls._defaults | given
        try:
            for name, put in cls._puts:
                put(self, values[name])
        except KeyError as missing:
            raise TypeError(f"{cls.__name__} needs {missing.args[0]}") from None
        if len(values) != len(cls._puts):
            unknown = sorted(set(given) - set(cls._fields))
            raise TypeError(f"{cls.__name__} has no field {', '.join(unknown)}")
        self._check()

    def _check(self) -> None:
        """Refuse a value that would be wrong; nothing to refuse unless a subclass says so."""

    def replace(self, **changes: "Any") -> "Self":
        """Return the same value with some fields changed."""
        cls = type(self)
        return cls(**({f: getattr(self, f) for f in cls._fields} | changes))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in type(self)._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, f) for f in type(self)._fields)))

    def __repr__(self) -> str:
        inner = ", ".join(f"{f}={getattr(self, f)!r}" for f in type(self)._fields)
        return f"{type(self).__name__}({inner})"

    def __reduce__(self) -> "tuple[Any, ...]":
        return _rebuild, (type(self), {f: getattr(self, f) for f in type(self)._fields})


def _rebuild(cls: type[Value], fields: "dict[str, Any]") -> Value:
    return cls(**fields)
