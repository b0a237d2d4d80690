"""The one HTTP client for decisions: TLS, limits, retries, redaction.

``request`` returns a whole answer in memory, ``stream`` one whose body is read piece by piece. Threads may share a
client; each request has a connection for itself, kept open afterwards for the next one to the same server.

What it never does: talk plain http to anything but loopback, send credentials on to another origin, follow a redirect
from TLS to no TLS, read more than it was told, wait without end, send twice what must not be sent twice.
"""

import time
from _thread import allocate_lock

from countermark.adapters.http_connection import Connection, Timeouts, Waiting, connect
from countermark.adapters.http_date import parse_http_date
from countermark.adapters.http_errors import ResetError
from countermark.adapters.http_exchange import Answer, HttpRequest, Stream, exchanged, has_end, send
from countermark.adapters.http_proxy import Proxies
from countermark.adapters.http_tls import SystemRoots, TlsContexts
from countermark.adapters.http_url import is_loopback
from countermark.adapters.http_wire import Headers, bounded
from countermark.core import limits
from countermark.core.errors import Code, CountermarkError, InputError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_RETRIED = frozenset((429, 502, 503, 504))
_FOLLOWED = frozenset(("GET", "HEAD"))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_SECRET_HEADERS = frozenset(("authorization", "cookie", "proxy-authorization"))


class HttpClient:
    """Asks HTTP servers; one per process, so that connections are shared."""

    def __init__(
        self,
        roots: SystemRoots = SystemRoots(),  # noqa: B008 - frozen
        proxies: Proxies = Proxies(),  # noqa: B008 - frozen
        *,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        pause: "Callable[[float], None]" = time.sleep,
    ) -> None:
        self._proxies, self._timeouts, self._pause = proxies, timeouts, pause
        self._contexts = TlsContexts(roots)
        self._idle: dict[tuple[object, ...], list[Connection]] = {}
        self._lock = allocate_lock()

    def request(self, request: HttpRequest) -> Answer:
        """Ask, and read the whole answer, whatever its status.

        Raises:
            UnavailableError: no answer, or none that can be read. MalformedError: ``too-large``.
            InputError: ``insecure``, plain http to another host than this one.
        """
        stream = self.stream(request)
        return Answer(
            status=stream.status,
            headers=stream.headers,
            content=stream.read(),
            url=stream.url,
        )

    def stream(self, request: HttpRequest) -> Stream:
        """Ask, and leave the body to the caller.

        Raises:
            As ``request``.
        """
        waiting = Waiting(self._timeouts)
        for _ in range(limits.REDIRECTS + 1):
            stream = self._tried(request, waiting)
            try:
                following = _redirected(request, stream)
            except BaseException:
                stream.close()
                raise
            if following is None:
                return stream
            stream.discard()
            request = following
        raise UnavailableError(f"stopped after {limits.REDIRECTS} redirects")

    def _tried(self, request: HttpRequest, waiting: Waiting) -> Stream:
        """Send a request, and again where that is harmless and may help."""
        tries = limits.RETRIES if request.repeatable else 0
        for attempt in range(tries + 1):
            seconds = limits.RETRY_PAUSES[min(attempt, len(limits.RETRY_PAUSES) - 1)]
            try:
                stream = self._once(request, waiting)
            except ResetError:
                if attempt == tries or not waiting.allows(seconds):
                    raise
            else:
                again = stream.status in _RETRIED or stream.status in request.retry
                asked = _retry_after(stream.headers) if again else -1.0
                if asked < 0 or asked > limits.RETRY_AFTER_SECONDS or attempt == tries:
                    return stream
                seconds = max(asked, seconds)
                if not waiting.allows(seconds):
                    return stream
                stream.discard()
            self._pause(seconds)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, request: HttpRequest, waiting: Waiting) -> Stream:
        while True:
            connection = self._connection(request, waiting)
            try:
                return self._exchange(connection, request)
            except ResetError:
                # closed by the server just when we used it again: a new connection tells
                if not (connection.used and request.repeatable):
                    raise

    def _connection(self, request: HttpRequest, waiting: Waiting) -> Connection:
        if idle := self._taken(request, waiting):
            return idle
        https = request.url.scheme == "https"
        if not https and not is_loopback(request.url.host):
            raise InputError(
                f"plain http to {request.url.authority}: only loopback addresses may be asked without TLS",
                code=Code.INSECURE,
            )
        context = self._contexts.context(request.tls) if https else None
        proxy = self._proxies.proxy_for(request.url)
        return connect(request.url, proxy, context, waiting)

    def _taken(self, request: HttpRequest, waiting: Waiting) -> Connection | None:
        """Take the idle connection used last, if it is still good."""
        key = (request.url.origin, request.tls)
        longest = limits.IDLE_SECONDS if request.repeatable else limits.IDLE_SECONDS_ONCE
        while True:
            with self._lock:
                idle = self._idle.get(key)
                if not idle:
                    return None
                connection = idle.pop()
            if time.monotonic() - connection.idle_since <= longest and connection.is_fresh():
                connection.waiting = waiting
                return connection
            connection.close()

    def _exchange(self, connection: Connection, request: HttpRequest) -> Stream:
        try:
            sent = send(connection, request)
            head = connection.reader.head()
            pieces = bounded(connection.reader.body(head, request.method), head, request.max_bytes)
        except BaseException:
            connection.close()
            raise
        keeps = head.keeps and sent and has_end(head, request.method)
        return Stream(
            head,
            request.url,
            pieces,
            lambda whole: self._give_back(connection, request, whole and keeps),
        )

    def _give_back(self, connection: Connection, request: HttpRequest, good: bool) -> None:  # noqa: FBT001
        if good and connection.reader.at_rest:
            key = (request.url.origin, request.tls)
            connection.used, connection.idle_since = True, time.monotonic()
            with self._lock:
                idle = self._idle.setdefault(key, [])
                if len(idle) < limits.IDLE_CONNECTIONS:
                    idle.append(connection)
                    return
        connection.close()

    def ahead(self, request: HttpRequest, targets: "Sequence[str]") -> list[Answer]:
        """Ask one server for several things on one connection, without waiting for the answers in between.

        RFC 9112, 9.3.2: what may be asked twice may be asked so, and the answers come in order. Not everything
        between us and servers keeps to it, so no error is raised: there are fewer answers than questions, and the
        rest has to be asked for alone. Only its place says which question an answer is to, so this is for what is
        checked against a digest afterwards. Where it sends elsewhere, that is asked in the same way, once.

        Args:
            request: a GET; its ``max_bytes`` are for each answer, its ``url``, but for the target, for all.
            targets: path and query of each.
        """
        answers = self._in_turn(request, targets)
        for number, answer in self._from_elsewhere(request, answers):
            answers[number] = answer
        return answers

    def _from_elsewhere(
        self, request: HttpRequest, answers: "Sequence[Answer]"
    ) -> "Iterator[tuple[int, Answer]]":
        """Ask where those answers that are redirects lead to, and say which of them each answer stands for."""
        places: dict[tuple[str, str, int], list[tuple[int, HttpRequest]]] = {}
        for number, answer in enumerate(answers):
            if answer.status not in _REDIRECTS:
                continue
            try:
                following = _redirected(request.replace(url=answer.url), answer)
            except UnavailableError:  # told to whoever asks alone
                continue
            if following is not None:
                places.setdefault(following.url.origin, []).append((number, following))
        for sent in places.values():
            came = self._in_turn(sent[0][1], [each.url.target for _, each in sent])
            yield from zip((number for number, _ in sent), came, strict=False)

    def _in_turn(self, request: HttpRequest, targets: "Sequence[str]") -> list[Answer]:
        seconds = min(self._timeouts.read, limits.AHEAD_SECONDS)
        waiting = Waiting(self._timeouts.replace(read=seconds))
        while True:
            answers: list[Answer] = []
            keeps = True
            try:
                connection = self._connection(request, waiting)
            except CountermarkError:
                return answers
            try:
                for answer, keeps in exchanged(connection, request, targets):  # noqa: B007
                    answers.append(answer)
            except BaseException as error:
                connection.close()
                if not isinstance(error, CountermarkError):
                    raise
                if not answers and connection.used:
                    continue  # as in _once
                return answers
            self._give_back(connection, request, keeps)
            return answers

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()


def _redirected(request: HttpRequest, answer: Stream | Answer) -> HttpRequest | None:
    """The request for the next place, None where there is none; without what only the last one may see.

    docker's CAs go along to another origin, as in Go's transport: a private registry's blob store has the same CA,
    and what comes from there must have the right digest anyway.
    """
    if not request.follow or request.method not in _FOLLOWED or answer.status not in _REDIRECTS:
        return None
    location = answer.headers.one("location")
    if not location:
        return None
    try:
        url = request.url.join(location)
    except InputError as error:
        raise UnavailableError(f"redirected to no URL: {error}", code=Code.MALFORMED) from None
    if url.scheme != "https" and (request.url.scheme == "https" or not is_loopback(url.host)):
        raise UnavailableError(
            f"redirected from TLS to plain http on {url.authority}", code=Code.INSECURE
        )
    if url.origin == request.url.origin:
        return request.replace(url=url)
    kept = {k: v for k, v in request.headers.items() if k.lower() not in _SECRET_HEADERS}
    return request.replace(url=url, headers=kept, tls=request.tls.without_client())


def _retry_after(headers: Headers) -> float:
    """Seconds that Retry-After asks for, 0 where it says nothing readable; a date counts from the answer's own."""
    text = ",".join(headers.all("retry-after")).strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    then, now = parse_http_date(text), parse_http_date(",".join(headers.all("date")))
    return max((then - now).total_seconds(), 0.0) if then and now else 0.0
