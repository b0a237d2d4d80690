"""Other programs: run or become."""

import os

from countermark.core.errors import (
    Code,
    InputError,
    MalformedError,
    NotFoundError,
    UnavailableError,
)
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO, NoReturn

OUTPUT_BYTES = 1024 * 1024  # of another program's output, unless more is asked for
SECONDS = 60.0  # that another program may take
_MARK_BYTES = 4096  # of a file's beginning that a mark is looked for in


class Finished(Value):
    """A program that ended: its exit status (128 + N after signal N), standard output and standard error."""

    status: int
    output: bytes
    errors: bytes


def run(
    command: "Sequence[str]",
    *,
    given: bytes = b"",
    environment: "Mapping[str, str] | None" = None,
    max_bytes: int = OUTPUT_BYTES,
    seconds: float = SECONDS,
) -> Finished:
    """Run a program with ``given`` on its standard input and take what it prints.

    Raises:
        NotFoundError: there is no such program. InputError: it cannot be run.
        UnavailableError: it did not end in time; it was killed.
        MalformedError: ``too-large``, it printed more than max_bytes; it was killed.
    """
    import subprocess  # noqa: PLC0415 - 15 ms that most commands never need

    pipe = subprocess.PIPE
    process = _started(
        lambda: subprocess.Popen(  # noqa: S603 - the caller names the program, no shell
            list(command), stdin=pipe, stdout=pipe, stderr=pipe, env=_copy(environment)
        ),
        command,
    )
    with process:
        try:
            output, errors = _talk(process, given, max_bytes, seconds)
        except TimeoutError:
            raise UnavailableError(f"{command[0]} did not end within {seconds:g} s") from None
        except OverflowError:
            raise MalformedError(
                f"{command[0]} printed more than {max_bytes} bytes", code=Code.TOO_LARGE
            ) from None
        finally:
            if process.poll() is None:
                process.kill()
    return Finished(status=_status(process.returncode), output=output, errors=errors)


def _talk(
    process: "subprocess.Popen[bytes]", given: bytes, max_bytes: int, seconds: float
) -> tuple[bytes, bytes]:
    """Write and read all pipes until both outputs end; TimeoutError and OverflowError say which bound was met."""
    import selectors  # noqa: PLC0415 - with subprocess
    import time  # noqa: PLC0415 - with subprocess

    pipes = (process.stdin, process.stdout, process.stderr)
    to, *outputs = (pipe.fileno() for pipe in pipes if pipe is not None)
    found = {descriptor: bytearray() for descriptor in outputs}
    rest = memoryview(given)
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for descriptor in outputs:
            selector.register(descriptor, selectors.EVENT_READ)
        os.set_blocking(to, False)
        selector.register(to, selectors.EVENT_WRITE)
        while not found.keys().isdisjoint(selector.get_map()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in selector.select(left):
                if key.fd != to:
                    ended = _read_some(key.fd, found[key.fd], max_bytes)
                else:
                    rest = _write_some(to, rest)
                    ended = not rest
                if ended:
                    selector.unregister(key.fd)
                if ended and key.fd == to and process.stdin:
                    process.stdin.close()
    _wait(process, deadline - time.monotonic())
    return bytes(found[outputs[0]]), bytes(found[outputs[1]])


def _read_some(descriptor: int, found: bytearray, max_bytes: int) -> bool:
    """Read what is there and say whether it was the end."""
    part = os.read(descriptor, 65536)
    found += part
    if len(found) > max_bytes:
        raise OverflowError
    return not part


def _write_some(descriptor: int, rest: memoryview) -> memoryview:
    try:
        return rest[os.write(descriptor, rest[:65536]) :] if rest else rest
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return memoryview(b"")  # it does not want the rest, which is its right


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    import subprocess  # noqa: PLC0415 - loaded already

    try:
        process.wait(max(seconds, 0.01))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def call(
    command: "Sequence[str]",
    *,
    environment: "Mapping[str, str] | None" = None,
    given: bytes | None = None,
    hidden_line: bytes = b"",
) -> int:
    """Run a program on our own standard streams, wait for it however long it takes, and return its exit status.

    ``given`` is its standard input instead of ours; ``hidden_line`` is a line of its standard output to leave out,
    unless that is a terminal.

    Raises:
        NotFoundError, InputError: as ``run``.
    """
    import subprocess  # noqa: PLC0415 - see run
    import sys  # noqa: PLC0415 - with subprocess
    import tempfile  # noqa: PLC0415 - with subprocess

    # on a terminal it draws, and is left alone
    hide = bool(hidden_line) and not sys.stdout.isatty()
    with tempfile.TemporaryFile() as source:
        if given is not None:
            source.write(given)
            source.seek(0)
        process = _started(
            lambda: subprocess.Popen(  # noqa: S603 - as run
                list(command),
                stdin=None if given is None else source,
                stdout=subprocess.PIPE if hide else None,
                env=_copy(environment),
            ),
            command,
        )
    with _HandedOn(process):
        while True:
            try:
                if process.stdout is not None:
                    _pass_on(process.stdout, hidden_line)
                    process.stdout.close()
                return _status(process.wait())
            except KeyboardInterrupt:
                continue  # the terminal sent it to the program too, which decides what to do


class _HandedOn:
    """While a program runs in our place, SIGTERM and SIGHUP are for it: it would be left behind without us."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        import signal  # noqa: PLC0415 - with subprocess

        self._set = signal.signal
        self._signals = (signal.SIGTERM, signal.SIGHUP)
        self._process = process

    def __enter__(self) -> None:
        self._before = [
            self._set(number, lambda sent, _: self._process.send_signal(sent))
            for number in self._signals
        ]

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(self._signals, self._before, strict=True):
            self._set(number, handler)


def _pass_on(source: "IO[bytes]", hidden_line: bytes) -> None:
    """Copy lines to our standard output as they come, except one; bytes only, since nobody knows their encoding."""
    if source.closed:
        return
    for line in source:
        rest = memoryview(line if line.rstrip(b"\r\n") != hidden_line else b"")
        while rest:
            rest = rest[os.write(1, rest) :]


def become(path: str, arguments: "Sequence[str]", environment: "Mapping[str, str]") -> "NoReturn":
    """Turn this process into another program; ``arguments`` begin with the name that it sees itself called by.

    The caller has flushed what it printed.

    Raises:
        NotFoundError, InputError: as ``run``; otherwise this never returns.
    """
    try:
        os.execve(path, list(arguments), dict(environment))  # noqa: S606 - no shell on purpose
    except (OSError, ValueError) as error:
        raise _cannot_run(path, error) from None


def find(
    name: str, search_path: str, *, ourselves: "Sequence[str]" = (), mark: bytes = b""
) -> str | None:
    """Find the first program of a name on a PATH that is not one of us.

    One of us is a file that resolves to one of ``ourselves`` (links followed), or that has ``mark`` near its
    beginning, as the shims have that we install. Empty and relative folders of the PATH are skipped: what lies in the
    working directory is nobody's docker.
    """
    own = {os.path.realpath(path) for path in ourselves}
    for folder in search_path.split(os.pathsep):
        path = os.path.join(folder, name)
        if not os.path.isabs(path) or not os.path.isfile(path) or not os.access(path, os.X_OK):
            continue
        if os.path.realpath(path) not in own and not (mark and _is_marked(path, mark)):
            return path
    return None


def _is_marked(path: str, mark: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return mark in file.read(_MARK_BYTES)
    except OSError:
        return False  # executable and not readable: a system's program, not a shim of ours


def _started(
    start: "Callable[[], subprocess.Popen[bytes]]", command: "Sequence[str]"
) -> "subprocess.Popen[bytes]":
    try:
        return start()
    except (OSError, ValueError) as error:
        raise _cannot_run(command[0], error) from None


def _cannot_run(program: str, error: OSError | ValueError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"no such program: {program}")
    return InputError(f"cannot run {program}: {getattr(error, 'strerror', None) or error}")


def _copy(environment: "Mapping[str, str] | None") -> dict[str, str] | None:
    return None if environment is None else dict(environment)


def _status(code: int) -> int:
    return 128 - code if code < 0 else code
