"""Countermark: who vouches for a container image, before it runs."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.reference import ImageReference
    from countermark.engine import Engine
    from countermark.policy.model import Decision, Verdict

__all__ = ["Decision", "Engine", "ImageReference", "Verdict"]

# Loaded when asked for (PEP 562): whoever imports one module, as the command line does, pays for no other.
_HOMES = {
    "Decision": "countermark.policy.model",
    "Engine": "countermark.engine",
    "ImageReference": "countermark.core.reference",
    "Verdict": "countermark.policy.model",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only who uses the package as a library

    found: object = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
