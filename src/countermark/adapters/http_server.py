"""The one HTTP server: routes, limits, errors, health, drain.

Granian speaks TLS and HTTP/1.1 in threads of its own and calls the application (``adapters/http_application.py``) in
this process's event loop; handlers run in worker threads.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence

from countermark.core.ports import Clock
from countermark.core.ports_hosting import Handler, HotReads
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from countermark.adapters.http_application import Application

Ready = Callable[[tuple[str, int]], None]


class Route(Value):
    """A service on this server: its name in logs and counters, which paths are its own, and what answers."""

    name: str
    serves: Callable[[str], bool]
    handler: Handler


class Bounds(Value):
    """How much at once, and how long.

    Attributes:
        threads: workers for requests whose body is small.
        streams: workers for requests whose body is large, and steps of streamed responses.
        waiting: requests that may wait for a worker; beyond it 503.
        small_bytes: a body of at most this is read before a worker is given to it.
        header_bytes: of all header lines; beyond it 431.
        idle_seconds: the longest that a client may stand still while it sends or receives.
        drain_seconds: the longest that requests may take to end once we are told to stop.
    """

    threads: int = 24
    streams: int = 64
    waiting: int = 256
    small_bytes: int = 256 * 1024
    header_bytes: int = 64 * 1024
    idle_seconds: float = 60.0
    drain_seconds: float = 20.0


class Services(Value):
    """What is served: routes in order, reads that need no thread, and what must work for us to be ready."""

    routes: Sequence[Route]
    hot: HotReads | None = None
    checks: Mapping[str, Callable[[], None]] = {}


class HttpServer:
    """One address, served until told to stop.

    Args:
        address: host and port; port 0 takes a free one, which ``ready`` is told.
        tls: files of the certificate chain and its private key (PEM); None for plain HTTP, on loopback only.
        services: what is served.
        bounds: how much of it at once.
        clock: for the log.
        write_log: takes whole JSON lines, from a thread of its own.
    """

    def __init__(
        self,
        address: tuple[str, int],
        tls: tuple[str, str] | None,
        services: Services,
        bounds: Bounds,
        clock: Clock,
        write_log: Callable[[str], object],
    ) -> None:
        self._address = address
        self._tls = tls
        self._services = services
        self._bounds = bounds
        self._clock = clock
        self._write_log = write_log
        self._stop: Callable[[], object] | None = None
        self._stop_lock = threading.Lock()
        self._stopped = False

    def run(self, ready: Ready, *, last: bool = False) -> bool:
        """Serve until SIGTERM, SIGINT or ``stop``; call ``ready`` with the address once connections are taken.

        ``last``: the process ends after this, so that a second SIGTERM need not be heard any more.

        Returns whether all requests ended within ``drain_seconds``. Granian's threads do not survive the end of the
        interpreter: a process that has nothing else to do should leave through ``leave`` after this.

        Raises:
            InputError: the address cannot be had, or plain HTTP was asked for on one that is not loopback.
            ConfigError: certificate or key cannot be used.
        """
        # loads Granian and its event loop, for those who serve only
        import uvloop  # noqa: PLC0415

        from countermark.adapters import granian_server, http_application  # noqa: PLC0415
        from countermark.adapters.http_log import ServerLog  # noqa: PLC0415

        listener = granian_server.listen(self._address, tls=self._tls is not None)
        log = ServerLog(self._write_log)
        try:
            application = http_application.Application(
                self._services, self._bounds, self._clock, log
            )
            try:
                return uvloop.run(self._serve(listener, application, ready))
            finally:
                if last:
                    granian_server.ignore_signals()
                application.close()
        finally:
            log.close(2.0)
            listener.close()

    async def _serve(
        self, listener: "socket.socket", application: "Application", ready: Ready
    ) -> bool:
        from countermark.adapters import granian_server  # noqa: PLC0415 - as above

        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()

        def stop() -> None:
            application.draining = True
            stopping.set()

        with self._stop_lock:
            self._stop = lambda: loop.call_soon_threadsafe(stop)
            if self._stopped:
                stop()
        drain = self._bounds.drain_seconds
        try:
            with granian_server.signals(loop, stop):
                return await granian_server.serve(
                    listener, self._tls, application, stopping, ready, drain
                )
        finally:
            with self._stop_lock:
                self._stop = None

    def stop(self) -> None:
        """Stop from another thread: take no more connections, finish what is being answered."""
        with self._stop_lock:
            self._stopped = True
            if self._stop is not None:
                self._stop()
