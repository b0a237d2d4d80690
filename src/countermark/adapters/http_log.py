"""What the HTTP server tells about itself: one JSON line a request, and counters for Prometheus."""

import json
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import accumulate

from countermark.core.value import Value

_QUEUE_LINES = (
    20_000  # not yet written; more are dropped and counted, since a stuck reader must not stop us
)
_BATCH_LINES = 500
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# seconds; a signed read takes 1 ms, a publish 5 to 50, a large blob minutes
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)


class Served(Value):
    """One request that has been answered."""

    at: datetime
    route: str
    method: str
    path: str
    status: int
    size: int
    seconds: float
    client: str
    agent: str = ""
    note: str = ""


class ServerLog:
    """Writes JSON lines in a thread of its own, so that whoever reads them cannot hold up a request.

    No line holds a query, a body or a header but User-Agent. ``json`` escapes control characters and all that is not
    ASCII, so a request cannot forge a line or steer a terminal.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: queue.SimpleQueue[Served | Mapping[str, object] | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def served(self, served: Served) -> None:
        """Note a request."""
        self._put(served)

    def event(self, level: str, message: str, at: datetime, **more: object) -> None:
        """Note anything else."""
        self._put({"time": _stamp(at), "level": level, "message": message, **more})

    def _put(self, entry: Served | Mapping[str, object]) -> None:
        if self._lines.qsize() < _QUEUE_LINES:
            self._lines.put(entry)
        else:
            self._dropped += 1

    def close(self, seconds: float) -> None:
        """Write what is left, for so long at most."""
        self._lines.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            batch = [self._lines.get()]
            while len(batch) < _BATCH_LINES and batch[-1] is not None:
                try:
                    batch.append(self._lines.get_nowait())
                except queue.Empty:
                    break
            lines = [_line(entry) for entry in batch if entry is not None]
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                lines.append(_json({"level": "warning", "message": f"{dropped} lines dropped"}))
            try:
                self._write("".join(lines))
            except (OSError, ValueError):  # a closed pipe: there is nowhere left to say so
                return
            if batch[-1] is None:
                return


def _line(entry: Served | Mapping[str, object]) -> str:
    if not isinstance(entry, Served):
        return _json(entry)
    line: dict[str, object] = {"time": _stamp(entry.at), "level": "info", "message": "served"}
    line |= {"method": entry.method, "path": entry.path[:1024], "status": entry.status}
    line |= {"bytes": entry.size, "ms": round(entry.seconds * 1000, 2), "client": entry.client}
    line |= {"agent": entry.agent[:256]} if entry.agent else {}
    return _json(line | ({"note": entry.note} if entry.note else {}))


def _json(line: Mapping[str, object]) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Metrics:
    """Counters of one process, in Prometheus' text format 0.0.4; used by the event loop's thread alone."""

    def __init__(self) -> None:
        self.active = 0
        self._requests: dict[tuple[str, str, int], int] = {}
        self._sizes: dict[str, int] = {}
        self._seconds: dict[str, list[float]] = {}

    def served(self, route: str, method: str, status: int, size: int, seconds: float) -> None:
        """Count a request; a method nobody knows counts as ``other``, so that clients cannot grow this."""
        key = (route, method if method in _METHODS else "other", status)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._sizes[route] = self._sizes.get(route, 0) + size
        times = self._seconds.get(route)
        if times is None:
            times = self._seconds[route] = [0.0] * (len(_BUCKETS) + 2)
        times[-1] += seconds
        for place, bound in enumerate(_BUCKETS):
            if seconds <= bound:
                times[place] += 1
                return
        times[len(_BUCKETS)] += 1

    def text(self) -> str:
        """Write all counters."""
        lines = _head(
            "requests_total", "counter", "Requests answered, by service, method and status."
        )
        for (route, method, status), count in sorted(self._requests.items()):
            labels = f'service="{route}",method="{method}",code="{status}"'
            lines.append(f"countermark_http_requests_total{{{labels}}} {count}")
        lines += _head("response_bytes_total", "counter", "Bytes of response bodies, by service.")
        for route, size in sorted(self._sizes.items()):
            lines.append(f'countermark_http_response_bytes_total{{service="{route}"}} {size}')
        lines += _head("request_seconds", "histogram", "Time to answer, by service.")
        for route, times in sorted(self._seconds.items()):
            lines += _histogram(route, times)
        lines += _head("requests_active", "gauge", "Requests being answered.")
        lines.append(f"countermark_http_requests_active {self.active}")
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP countermark_http_{name} {text}", f"# TYPE countermark_http_{name} {kind}"]


def _histogram(route: str, times: list[float]) -> list[str]:
    name, label = "countermark_http_request_seconds", f'service="{route}"'
    counts = [int(count) for count in accumulate(times[:-1])]
    bounds = [*map(str, _BUCKETS), "+Inf"]
    lines = [
        f'{name}_bucket{{{label},le="{bound}"}} {count}'
        for bound, count in zip(bounds, counts, strict=True)
    ]
    return [
        *lines,
        f"{name}_sum{{{label}}} {times[-1]:.6f}",
        f"{name}_count{{{label}}} {counts[-1]}",
    ]
