"""Load on one URL: wrk, with connections that stay open, and bodies that were made beforehand where some are sent."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.measuring import median
from interop.peers import BASE_ENVIRONMENT
from interop.processes import Words, find, run

CONNECTIONS = 16
THREADS = 2
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_SCRIPT = Path(__file__).with_name("load.lua")


class Load(NamedTuple):
    """What wrk found."""

    rate: float
    p50_milliseconds: float
    p99_milliseconds: float


class Bodies:
    """Bodies to send, in files that wrk's threads read before the clock runs."""

    def __init__(
        self,
        file: Path,
        bodies: Sequence[bytes],
        kind: str = "application/json",
        *,
        once: bool,
        connections: int = CONNECTIONS,
    ) -> None:
        """Deal them out to wrk's threads; ``once``: none is sent twice, and one too few is an error."""
        threads = _threads(connections)
        for thread in range(threads):
            own = bodies[thread::threads] if once else bodies
            lines = [body if body.startswith(b"{") else body.hex().encode() for body in own]
            file.with_name(f"{file.name}.{thread}").write_bytes(b"\n".join(lines) + b"\n")
        self.words: Words = [file, kind, "once" if once else "again"]


def wrk(
    url: str, seconds: int, connections: int = CONNECTIONS, bodies: Bodies | None = None
) -> Load:
    """Load one URL; every answer has to be a good one.

    Raises:
        RuntimeError: one was not, or there was none.
    """
    words: Words = [
        find("wrk"),
        f"-t{_threads(connections)}",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
    ]
    words += ["--timeout", "30s"]
    words += ["-s", _SCRIPT, url, "--", *bodies.words] if bodies else [url]
    outcome = run(words, BASE_ENVIRONMENT).ok()
    if re.search(r"Non-2xx|Socket errors", outcome.out):
        raise RuntimeError(outcome.out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", outcome.out)
    waits = [re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", outcome.out) for share in (50, 99)]
    p50, p99 = (float(found[1]) * _MILLISECONDS[found[2]] if found else None for found in waits)
    if not rate or p50 is None or p99 is None:
        raise RuntimeError(outcome.out)
    return Load(float(rate[1]), p50, p99)


def _threads(connections: int) -> int:
    return min(THREADS, connections)


def shown(loads: Sequence[Load], *, half: bool = False) -> str:
    """The medians of some runs, in words; ``half``: with the wait of every second request, not of the slowest."""
    name = "p50" if half else "p99"
    wait = median([load.p50_milliseconds if half else load.p99_milliseconds for load in loads])
    rate = median([load.rate for load in loads])
    return f"{rate:,.{0 if rate >= 100 else 1}f}/s ({name} {wait:.1f} ms)"
