"""Work that dies at one of its calls to the system, as a process does that is killed there."""

import os
from collections.abc import Callable
from typing import Any

CALLS = (
    "open",
    "write",
    "fsync",
    "replace",
    "link",
    "unlink",
    "mkdir",
    "utime",
    "close",
    "ftruncate",
)
Acknowledge = Callable[[str], object]


def die_at(step: int, work: Callable[[Acknowledge], object]) -> tuple[list[str], bool]:
    """Do the work in a child that dies when it has made so many calls; what it acknowledged, and whether it lived."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        real_write, real_exit = os.write, os._exit
        left = step

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def replacement(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                if left == 0:
                    real_exit(9)
                left -= 1
                return call(*arguments, **named)

            return replacement

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        status = 1
        try:
            work(lambda what: real_write(writer, f"{what}\n".encode()))
            status = 0
        except BaseException as error:  # noqa: BLE001 - a child must never go on as its parent
            real_write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            real_exit(status)
    os.close(writer)
    with os.fdopen(reader) as acknowledged:
        words = acknowledged.read().split()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"the work failed, at step {step}"
    return words, code == 0
