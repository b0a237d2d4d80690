"""Granian in our own process and event loop, on a socket of ours, with a bounded end."""

import asyncio
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from countermark.core.errors import ConfigError, InputError

_BACKLOG = 1024  # connections the system keeps while we are busy
_CONNECTIONS = 1024  # taken at once; each may hold 64 KiB of headers and 256 KiB of a small body
_HEADER_MILLISECONDS = 30_000  # for all of a request's headers, and idle between two requests
_BUFFER_BYTES = 64 * 1024  # of one connection, either way

Ready = Callable[[tuple[str, int]], None]


def listen(address: tuple[str, int], *, tls: bool) -> socket.socket:
    """Bind and listen.

    Raises:
        InputError: the address cannot be had; plain HTTP beyond loopback.
    """
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        family, _, _, _, place = found
        if not tls and not ipaddress.ip_address(place[0]).is_loopback:
            raise InputError(
                f"plain HTTP on {host}, which is not loopback",
                hint="give a certificate and its key, or listen on 127.0.0.1",
            )
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise InputError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # inherited by each connection: else a body that follows its headers waits 40 ms for their acknowledgement
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="something else may be listening there: choose another port",
        ) from None
    return listener


_hold: Callable[[int, bool, int], Any] = SocketHolder  # type: ignore[assignment]  # its stub lacks two


class _Server(Server):
    """Granian's embedded server on a socket that is open already, so that its port and its errors are ours."""

    _shd: Any

    def __init__(self, listener: socket.socket, **settings: Any) -> None:
        super().__init__(**settings)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Granian's holder closes what it holds
        held = os.dup(self._listener.fileno())
        self._shd = _hold(held, False, _BACKLOG)  # noqa: FBT003 - no Unix socket
        self._ssp = None


def _server(
    listener: socket.socket,
    tls: tuple[str, str] | None,
    application: Callable[..., Awaitable[None]],
) -> Server:
    certificate, key = tls or ("", "")
    try:
        return _Server(
            listener,
            target=application,
            address=listener.getsockname()[0],
            port=listener.getsockname()[1],
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,  # as notary-server; nothing of ours gains by HTTP/2
            http1_settings=HTTP1Settings(
                header_read_timeout=_HEADER_MILLISECONDS, max_buffer_size=_BUFFER_BYTES
            ),
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
            runtime_blocking_threads=8,
            log_level=LogLevels.critical,
            log_dictconfig={"handlers": {}, "loggers": {"_granian": {"handlers": []}}},
            ssl_cert=Path(certificate) if tls else None,
            ssl_key=Path(key) if tls else None,
            ssl_protocol_min=SSLProtocols.tls12,
        )
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise ConfigError(
            f"cannot use the certificate {certificate} with the key {key}: {reason}",
            hint="both are PEM files, the key unencrypted and of the certificate",
        ) from None


async def serve(
    listener: socket.socket,
    tls: tuple[str, str] | None,
    application: Callable[..., Awaitable[None]],
    stopping: asyncio.Event,
    ready: Ready,
    drain_seconds: float,
) -> bool:
    """Serve until ``stopping`` is set; say whether all requests ended in time.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    _allow_many_files()
    server = _server(listener, tls, application)
    logging.getLogger("_granian").propagate = False
    gc.collect()
    gc.freeze()  # what was loaded lives as long as we do: it need not be looked through again and again
    serving = asyncio.create_task(server.serve())
    ended = asyncio.create_task(stopping.wait())
    await asyncio.sleep(0)  # lets Granian take the socket over
    ready(listener.getsockname()[:2])
    await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    listener.close()  # new connections are refused from here on
    server.stop()  # type: ignore[no-untyped-call]
    done, _ = await asyncio.wait((serving,), timeout=drain_seconds)
    if not done:
        serving.cancel()
        return False
    serving.result()  # raises what made Granian end by itself
    return True


@contextmanager
def signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT, where this is the thread that signals come to."""
    caught = (signal.SIGTERM, signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in caught:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        # whoever serves ends now: told so once more, it must not die on its last steps (see ``ignore_signals``)
        loop.add_signal_handler(signal.SIGTERM, lambda: None)


def ignore_signals() -> None:
    """Ignore SIGTERM from here to the end of the process: the loop that heard it is closed."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _allow_many_files() -> None:
    """Raise the soft limit of open files: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def leave(status: int) -> NoReturn:
    """End the process now: Granian's threads would meet an interpreter that is half taken down."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(status)
