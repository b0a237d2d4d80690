"""What the HTTP server tells about itself: one JSON line a request, and counters for Prometheus."""

import json
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate

# not yet written; more are dropped and counted, since a stuck reader must not stop us
_QUEUE_LINES = 20_000
_BATCH_LINES = 500
_PAUSE_SECONDS = 0.1
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# seconds; a signed read takes 1 ms, a publish 5 to 50, a large blob minutes
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)


class Served:
    """One request that has been answered. Made for each, so plain rather than a Value."""

    __slots__ = (
        "agent", "at", "client", "method", "note", "path", "route", "seconds", "size", "status",
    )  # fmt: skip

    def __init__(self, method: str, client: str) -> None:
        self.at: datetime | None = None
        self.method = method
        self.client = client
        self.route = "server"
        self.path = self.agent = self.note = ""
        self.status = self.size = 0
        self.seconds = 0.0


class ServerLog:
    """Writes JSON lines in a thread of its own, so that whoever reads them cannot hold up a request.

    No line holds a query, a body or a header but User-Agent. ``json`` escapes control characters and all that is not
    ASCII, so a request cannot forge a line or steer a terminal.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: deque[Served | Mapping[str, object]] = deque()
        self._dropped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def served(self, served: Served) -> None:
        """Note a request."""
        self._put(served)

    def event(self, level: str, message: str, at: datetime, **more: object) -> None:
        """Note anything else."""
        self._put({"time": _stamp(at), "level": level, "message": message, **more})

    def _put(self, entry: Served | Mapping[str, object]) -> None:
        if len(self._lines) < _QUEUE_LINES:
            self._lines.append(entry)
        else:
            self._dropped += 1

    def close(self, seconds: float) -> None:
        """Write what is left, for so long at most."""
        self._closing.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        """Write ten times a second: to be woken for each line would cost more than the line."""
        while True:
            closing = self._closing.wait(_PAUSE_SECONDS)
            while self._lines or self._dropped:
                count = min(len(self._lines), _BATCH_LINES)
                lines = _written([self._lines.popleft() for _ in range(count)])
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    lines.append(_json({"level": "warning", "message": f"{dropped} lines dropped"}))
                try:
                    self._write("".join(lines))
                except (OSError, ValueError):  # a closed pipe: there is nowhere left to say so
                    return
            if closing:
                return


def _written(entries: list[Served | Mapping[str, object]]) -> list[str]:
    """Write entries in order; reads of the same thing by the same client, within one tenth of a second, are one line.

    Such a line has their ``count``, and the time of the slowest: under load, lines would cost more than answers.
    """
    groups: dict[tuple[object, ...], list[Served]] = {}
    lines: list[str | list[Served]] = []
    for entry in entries:
        if not isinstance(entry, Served):
            lines.append(_json(entry))
        elif entry.status != 200 or entry.method != "GET" or entry.note:
            lines.append([entry])
        else:
            key = (entry.path, entry.client, entry.agent)
            group = groups.get(key)
            if group is None:
                groups[key] = group = []
                lines.append(group)
            group.append(entry)
    return [line if isinstance(line, str) else _line(line) for line in lines]


def _line(group: list[Served]) -> str:
    entry = group[0]
    time = _stamp(entry.at) if entry.at else ""
    more = f',"count":{len(group)}' if len(group) > 1 else ""
    more += f',"agent":{_quoted(entry.agent[:256])}' if entry.agent else ""
    more += f',"note":{_quoted(entry.note)}' if entry.note else ""
    return (
        f'{{"time":"{time}","level":"info","message":"served","service":"{entry.route}",'
        f'"method":{_quoted(entry.method)},"path":{_quoted(entry.path[:1024])},'
        f'"status":{entry.status},"bytes":{sum(e.size for e in group)},'
        f'"ms":{max(e.seconds for e in group) * 1000:.2f},'
        f'"client":"{entry.client}"{more}}}\n'
    )


_quoted: Callable[[str], str] = lru_cache(4096)(json.dumps)  # the same few paths and agents, mostly


def _json(line: Mapping[str, object]) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


class Metrics:
    """Counters of one process, in Prometheus' text format 0.0.4; used by the event loop's thread alone."""

    def __init__(self) -> None:
        self.active = 0
        self._requests: dict[tuple[str, str, int], int] = {}
        self._sizes: dict[str, int] = {}
        self._seconds: dict[str, list[float]] = {}

    def served(self, served: Served) -> None:
        """Count a request; a method nobody knows counts as ``other``, so that clients cannot grow this."""
        method, route = served.method, served.route
        key = (route, method if method in _METHODS else "other", served.status)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._sizes[route] = self._sizes.get(route, 0) + served.size
        times = self._seconds.get(route)
        if times is None:
            times = self._seconds[route] = [0.0] * (len(_BUCKETS) + 2)
        times[-1] += served.seconds
        times[bisect_left(_BUCKETS, served.seconds)] += 1

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
