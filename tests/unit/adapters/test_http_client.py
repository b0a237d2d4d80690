"""The HTTP client against servers that do everything wrong: hang, reset, drip, lie, redirect in circles."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

import servers
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_connection import Timeouts, Waiting
from countermark.adapters.http_errors import NotTlsError
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_proxy import Proxies
from countermark.adapters.http_tls import HostTls, SystemRoots
from countermark.adapters.http_url import Url
from countermark.core import limits
from countermark.core.errors import (
    Code,
    ConfigError,
    CountermarkError,
    InputError,
    MalformedError,
    UnavailableError,
)
from servers import Asked, Authority, Peer, Server, always, answer, closed_port, handling

QUICK = Timeouts(connect=0.3, read=0.3, answer=0.3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


class World:
    """A client, and the pauses that it made."""

    def __init__(self, authority: Authority) -> None:
        self.pauses: list[float] = []
        self._authority = authority
        self._clients: list[HttpClient] = []

    def client(
        self, timeouts: Timeouts | None = None, proxies: Proxies | None = None
    ) -> HttpClient:
        client = HttpClient(
            SystemRoots(file=str(self._authority.file)),
            proxies or Proxies(),
            timeouts=timeouts or Timeouts(),
            pause=self.pauses.append,
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def world(authority: Authority) -> Iterator[World]:
    made = World(authority)
    yield made
    made.close()


def get(url: str, **more: object) -> HttpRequest:
    fields: dict[str, object] = {"method": "GET", "url": Url.parse(url)}
    return HttpRequest(**(fields | more))  # type: ignore[arg-type]


# Answers ------------------------------------------------------------------------------------------


def test_a_request_says_what_it_must(world: World) -> None:
    with Server(always(answer(200, b"hello", [("X-A", "1")]))) as server:
        found = world.client().request(get(f"{server.url}/a?b", headers={"Accept": "x/y"}))
    assert (found.status, found.content, found.headers.one("x-a")) == (200, b"hello", "1")
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/a?b")
    assert asked.header("host") == server.address
    assert asked.header("user-agent").startswith("countermark/")
    assert asked.header("accept") == "x/y"
    assert asked.header("accept-encoding") == "identity"
    assert asked.header("content-length") == ""


def test_connections_are_used_again(world: World) -> None:
    with Server(always(answer(200, b"a"))) as server:
        client = world.client()
        for _ in range(5):
            assert client.request(get(server.url)).content == b"a"
        assert client.request(get(server.url, method="POST", body=b"x")).content == b"a"
        assert server.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(answer(200, b"a", [("Connection", "close")]), id="the server closes"),
        pytest.param(answer(200, b"a") + b"HTTP/1.1 200 OK\r\n", id="something follows"),
    ],
)
def test_connections_that_are_spent_are_not(world: World, raw: bytes) -> None:
    with Server(always(raw)) as server:
        client = world.client()
        for _ in range(2):
            assert client.request(get(server.url)).content == b"a"
        assert server.connections == 2


def test_a_connection_closed_while_idle_costs_nothing(world: World) -> None:
    def once(peer: Peer) -> None:
        if peer.request():
            peer.send(answer(200, b"a"))

    with Server(once) as server:
        client = world.client()
        for _ in range(3):
            assert client.request(get(server.url)).content == b"a"
    assert world.pauses == []


def test_threads_share_a_client(world: World) -> None:
    with Server(handling(lambda asked: answer(200, asked.target.encode()))) as server:
        client = world.client()
        found: list[bool] = []

        def ask(name: str) -> None:
            for number in range(20):
                target = f"/{name}/{number}"
                content = client.request(get(server.url + target)).content
                found.append(content == target.encode())

        threads = [threading.Thread(target=ask, args=(str(i),)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 160
        assert server.connections <= 160


def test_streams_are_read_piece_by_piece(world: World) -> None:
    size = 3 * limits.MIB

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(200, b"", [("Content-Length", str(size))], length=False))
        for _ in range(3):
            peer.send(b"x" * limits.MIB)

    with Server(script) as server, world.client().stream(get(server.url)) as stream:
        pieces = list(map(len, stream.chunks()))
    assert sum(pieces) == size
    assert max(pieces) < limits.MIB


def test_a_stream_given_up_closes_its_connection(world: World) -> None:
    with Server(always(answer(200, b"x" * 500_000))) as server:
        client = world.client()
        with client.stream(get(server.url)) as stream:
            next(stream.chunks())
        assert client.request(get(server.url)).status == 200
        assert server.connections == 2


# Bodies that we send ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("count", [0, 1, 100_000, 3_000_000])
def test_bodies_are_sent_whole(world: World, method: str, count: int) -> None:
    with Server(always(answer(201))) as server:
        found = world.client().request(get(server.url, method=method, body=b"x" * count))
    assert found.status == 201
    assert server.asked[0].body == b"x" * count
    assert server.asked[0].header("content-length") == str(count)


@pytest.mark.parametrize("length", [6, None])
def test_bodies_are_sent_from_pieces(world: World, length: int | None) -> None:
    pieces = iter((b"abc", b"", b"def"))
    with Server(always(answer(201))) as server:
        world.client().request(get(server.url, method="PUT", body=pieces, length=length))
    assert server.asked[0].body == b"abcdef"
    assert server.asked[0].header("transfer-encoding") == ("" if length else "chunked")


@pytest.mark.parametrize("length", [5, 7])
def test_pieces_that_are_not_what_was_announced(world: World, length: int) -> None:
    body = iter((b"abc", b"def"))
    with Server(always(answer(201))) as server, pytest.raises(MalformedError) as caught:
        world.client().request(get(server.url, method="PUT", body=body, length=length))
    assert caught.value.code == Code.CHECKSUM


def test_what_the_pieces_raise_comes_through(world: World) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("ours")

    with Server(always(answer(201))) as server, pytest.raises(KeyError, match="ours"):
        world.client().request(get(server.url, method="PUT", body=pieces(), length=2))


def test_a_server_that_refuses_early_is_heard(world: World) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer(413, b"too large", [("Connection", "close")]))
        peer.receive(100_000)

    with Server(script) as server:
        body = b"x" * (64 * limits.MIB)
        found = outcome(world.client(), get(server.url, method="POST", body=body))
    # the reset may overtake the answer, which then is lost for everybody
    assert found in ("413 too large", "EOF") or "reset by peer" in found or "broken pipe" in found


def outcome(client: HttpClient, request: HttpRequest) -> str:
    try:
        found = client.request(request)
    except UnavailableError as error:
        return str(error)
    return f"{found.status} {found.content.decode()}"


# Limits and time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False])
def test_answers_longer_than_allowed_are_refused(world: World, length: bool) -> None:
    raw = answer(200, b"x" * 1001, length=length)

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(raw)

    with Server(script) as server, pytest.raises(MalformedError) as caught:
        world.client().request(get(server.url, max_bytes=1000))
    assert caught.value.code == Code.TOO_LARGE


def hang_before(peer: Peer) -> None:
    peer.request()
    peer.hang()


def hang_inside(peer: Peer) -> None:
    peer.request()
    peer.send(answer(200, b"x" * 100)[:-50])
    peer.hang()


def drip_head(peer: Peer) -> None:
    peer.request()
    peer.drip(b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * 100, 0.01)


def drip_body(peer: Peer) -> None:
    peer.request()
    peer.send(answer(200, b"", [("Content-Length", "10000")], length=False))
    peer.drip(b"x" * 10_000, 0.01)


def accept_nothing(peer: Peer) -> None:
    peer.server.stopping.wait(servers.WAIT_SECONDS)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (hang_before, "net/http: timeout awaiting response headers"),
        (hang_inside, "i/o timeout"),
        (drip_head, "no whole answer after waiting"),
        (drip_body, "no whole answer after waiting"),
    ],
)
def test_nothing_is_waited_for_without_end(
    world: World, script: Callable[[Peer], None], message: str
) -> None:
    with Server(script) as server, pytest.raises(UnavailableError) as caught:
        world.client(QUICK).request(get(server.url))
    assert message in str(caught.value) or "i/o timeout" in str(caught.value)
    assert caught.value.code == Code.UNAVAILABLE


def test_a_server_that_takes_nothing_is_left(world: World) -> None:
    with Server(accept_nothing) as server, pytest.raises(UnavailableError, match="i/o timeout"):
        world.client(QUICK).request(get(server.url, method="POST", body=b"x" * 50_000_000))


def test_only_waiting_counts_and_bytes_buy_time() -> None:
    waiting = Waiting(Timeouts(answer=10))
    assert waiting.next(60) == 10
    assert waiting.next(3) == 3
    waiting.spent(monotonic() - 9.5)
    assert 0 < waiting.next(60) < 0.6
    waiting.spent(monotonic(), 4 * limits.SLOWEST_BYTES_PER_SECOND)
    assert 4 < waiting.next(60) < 5
    waiting.spent(monotonic() - 1, 1)
    assert waiting.next(60) < 4
    waiting.spent(monotonic(), 10**9)
    assert waiting.next(60) == 10
    with pytest.raises(UnavailableError, match="no whole answer after waiting 10 s"):
        exhausted(waiting).next(60)


def exhausted(waiting: Waiting) -> Waiting:
    waiting.spent(monotonic() - 11)
    return waiting


# Failures -----------------------------------------------------------------------------------------


def reset_at_once(peer: Peer) -> None:
    peer.request()
    peer.reset()


def close_at_once(peer: Peer) -> None:
    peer.request()


@pytest.mark.parametrize(
    ("script", "message"), [(reset_at_once, "connection reset by peer"), (close_at_once, "EOF")]
)
def test_resets_are_tried_again_and_no_more(
    world: World, script: Callable[[Peer], None], message: str
) -> None:
    with Server(script) as server, pytest.raises(UnavailableError, match=message):
        world.client().request(get(server.url))
    assert len(server.asked) == 1 + limits.RETRIES
    assert world.pauses == [0.2, 1.0]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_what_must_not_be_sent_twice_is_not(world: World, method: str) -> None:
    with Server(reset_at_once) as server, pytest.raises(UnavailableError):
        world.client().request(get(server.url, method=method, body=b"x"))
    assert len(server.asked) == 1
    assert world.pauses == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_that_may_pass_are_tried_again(world: World, status: int) -> None:
    with Server(always(answer(status, b"no"), answer(200, b"yes"))) as server:
        assert world.client().request(get(server.url)).content == b"yes"
        assert server.connections == 1
    assert world.pauses == [0.2]


@pytest.mark.parametrize(("status", "tries"), [(500, 1), (404, 1), (401, 1), (503, 3)])
def test_statuses_that_stay_are_returned(world: World, status: int, tries: int) -> None:
    with Server(always(answer(status, b"no"))) as server:
        assert world.client().request(get(server.url)).status == status
    assert len(server.asked) == tries


@pytest.mark.parametrize(
    ("fields", "pauses", "status"),
    [
        ([("Retry-After", "3")], [3.0], 200),
        ([("Retry-After", "0")], [0.2], 200),
        ([("Retry-After", "3600")], [], 429),
        ([("Retry-After", "soon")], [0.2], 200),
        ([("Retry-After", "-5")], [0.2], 200),
        (
            [
                ("Date", "Sun, 22 Nov 2026 06:46:40 GMT"),
                ("Retry-After", "Sun, 22 Nov 2026 06:46:45 GMT"),
            ],
            [5.0],
            200,
        ),
    ],
)
def test_retry_after_is_honoured_within_a_bound(
    world: World, fields: list[tuple[str, str]], pauses: list[float], status: int
) -> None:
    with Server(always(answer(429, b"", fields), answer(200))) as server:
        assert world.client().request(get(server.url)).status == status
    assert world.pauses == pauses


def test_nothing_listens(world: World) -> None:
    port = closed_port()
    with pytest.raises(UnavailableError) as caught:
        world.client().request(get(f"https://127.0.0.1:{port}/?secret"))
    assert str(caught.value) == f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert world.pauses == []


def test_a_name_that_nobody_has(world: World) -> None:
    with pytest.raises(UnavailableError, match=r"dial tcp: lookup nosuch\.invalid: "):
        world.client().request(get("https://nosuch.invalid/"))


@pytest.mark.parametrize(
    "raw",
    [b"\x15\x03\x01\x00\x02\x02\x28", b"220 mail.test ESMTP\r\n", b"HTTP/1.1 200\n\n", b"\0" * 99],
)
def test_garbage_is_no_answer(world: World, raw: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(raw)

    with Server(script) as server, pytest.raises(UnavailableError):
        world.client().request(get(server.url))


# Redirects ----------------------------------------------------------------------------------------


def test_redirects_are_followed_when_asked_for(world: World) -> None:
    def handle(asked: Asked) -> bytes:
        if asked.path == "/a":
            return answer(307, b"go on", [("Location", "/b?x=1")])
        return answer(200, asked.target.encode())

    with Server(handling(handle)) as server:
        client = world.client()
        found = client.request(get(f"{server.url}/a", follow=True))
        assert (found.content, str(found.url)) == (b"/b?x=1", f"{server.url}/b?x=1")
        assert client.request(get(f"{server.url}/a")).status == 307
        assert client.request(get(f"{server.url}/a", method="POST", follow=True)).status == 307
        assert server.connections == 1


def test_credentials_stay_at_their_origin(world: World) -> None:
    with Server(always(answer(200, b"blob"))) as store:
        place = [("Location", f"{store.url}/blob?signature=s")]
        first = always(answer(307, b"", [("Location", "/same")]), answer(307, b"", place))
        with Server(first) as server:
            headers = {"Authorization": "Bearer secret", "Cookie": "secret", "Accept": "x/y"}
            found = world.client().request(get(server.url, follow=True, headers=headers))
    assert found.content == b"blob"
    assert [asked.header("authorization") for asked in server.asked] == ["Bearer secret"] * 2
    (asked,) = store.asked
    assert (asked.header("authorization"), asked.header("cookie")) == ("", "")
    assert asked.header("accept") == "x/y"
    assert asked.header("host") == store.address


def test_redirects_in_circles_end(world: World) -> None:
    with (
        Server(always(answer(302, b"", [("Location", "/")]))) as server,
        pytest.raises(UnavailableError, match="stopped after 5 redirects"),
    ):
        world.client().request(get(server.url, follow=True))
    assert len(server.asked) == limits.REDIRECTS + 1


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://192.0.2.1/", Code.INSECURE),
        ("http://localhost.example.test/", Code.INSECURE),
        ("ftp://127.0.0.1/", Code.MALFORMED),
        ("https://user:hunter2@127.0.0.1/", Code.MALFORMED),
        ("/a b", Code.MALFORMED),
    ],
)
def test_redirects_to_bad_places_are_refused(world: World, location: str, code: Code) -> None:
    with (
        Server(always(answer(302, b"", [("Location", location)]))) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        world.client().request(get(server.url, follow=True))
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


def test_tls_is_never_redirected_to_plain_http(world: World, authority: Authority) -> None:
    with Server(always(answer(200, b"plain"))) as plain:
        raw = answer(302, b"", [("Location", plain.url)])
        with (
            Server(always(raw), tls=authority.context()) as server,
            pytest.raises(UnavailableError) as caught,
        ):
            world.client().request(get(server.url, follow=True))
    assert caught.value.code == Code.INSECURE
    assert plain.asked == []


def test_two_locations_are_none(world: World) -> None:
    raw = answer(302, b"", [("Location", "/a"), ("Location", "/b")])
    with Server(always(raw)) as server, pytest.raises(UnavailableError) as caught:
        world.client().request(get(server.url, follow=True))
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://example.test/", "http://127.1/"])
def test_plain_http_is_for_loopback_only(world: World, url: str) -> None:
    with pytest.raises(InputError) as caught:
        world.client().request(get(url))
    assert caught.value.code == Code.INSECURE


# TLS ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls(world: World, authority: Authority, host: str) -> None:
    with Server(always(answer(200, b"safe")), tls=authority.context()) as server:
        client = world.client()
        for _ in range(2):
            assert client.request(get(f"https://{host}:{server.port}/")).content == b"safe"
        assert server.connections == 1


def test_tls_on_an_ipv6_address(world: World, authority: Authority) -> None:
    with Server(always(answer(200, b"six")), tls=authority.context(), host="::1") as server:
        assert world.client().request(get(server.url)).content == b"six"
        assert server.asked[0].header("host") == f"[::1]:{server.port}"


@pytest.mark.parametrize(
    ("names", "starts", "ends", "message"),
    [
        (("localhost",), 0, 1, "x509: certificate is not valid for 127.0.0.1"),
        (("127.0.0.2",), 0, 1, "x509: certificate is not valid for 127.0.0.1"),
        (("127.0.0.1",), -3, -2, "x509: certificate has expired or is not yet valid"),
        (("127.0.0.1",), 2, 3, "x509: certificate has expired or is not yet valid"),
    ],
)
def test_certificates_that_do_not_hold(
    world: World,
    authority: Authority,
    names: tuple[str, ...],
    starts: int,
    ends: int,
    message: str,
) -> None:
    context = authority.context(*names, starts=starts, ends=ends)
    with (
        Server(always(answer(200)), tls=context) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        world.client().request(get(server.url))
    assert str(caught.value) == f"tls: failed to verify certificate: {message}"
    assert server.asked == []


def test_a_common_name_is_no_name(world: World, authority: Authority, tmp_path: Path) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(common_name="localhost"))
    with (
        Server(always(answer(200)), tls=context) as server,
        pytest.raises(UnavailableError, match="certificate is not valid for localhost"),
    ):
        world.client().request(get(f"https://localhost:{server.port}"))


def test_an_unknown_authority(world: World, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another ca")
    with Server(always(answer(200, b"x")), tls=other.context()) as server:
        client = world.client()
        with pytest.raises(UnavailableError) as caught:
            client.request(get(server.url))
        assert str(caught.value) == (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        )
        for known in (
            HostTls(ca_files=(str(other.file),)),
            HostTls(ca_texts=(other.file.read_text(),)),
        ):
            assert client.request(get(server.url, tls=known)).content == b"x"
        with pytest.raises(UnavailableError):
            # its connection is not used for those who do not know it
            client.request(get(server.url))


def test_a_server_that_is_its_own_root(world: World, authority: Authority) -> None:
    cert, key = authority.issue("127.0.0.1")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Server(always(answer(200, b"x")), tls=context) as server:
        client = HttpClient(SystemRoots(folders=("/nonexistent",)))
        pinned = get(server.url, tls=HostTls(ca_files=(str(cert),)))
        assert client.request(pinned).content == b"x"
        client.close()


def test_old_tls_is_refused(world: World, authority: Authority) -> None:
    import ssl
    import warnings

    context = authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        Server(always(answer(200)), tls=context) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        world.client().request(get(server.url))
    assert "tls: " in str(caught.value)
    assert not isinstance(caught.value, NotTlsError)


def test_client_certificates(world: World, authority: Authority) -> None:
    cert, key = authority.issue(client=True, common_name="us")
    with Server(always(answer(200, b"known")), tls=authority.context(ask_client=True)) as server:
        client = world.client()
        with pytest.raises(UnavailableError, match=r"tls: |reset|EOF"):
            client.request(get(server.url))
        with_key = HostTls(client_pairs=((str(cert), str(key)),))
        assert client.request(get(server.url, tls=with_key)).content == b"known"


def test_client_certificates_stay_at_their_origin(world: World, authority: Authority) -> None:
    cert, key = authority.issue(client=True)
    seen: list[bool] = []

    def script(peer: Peer) -> None:
        seen.append(bool(peer._socket.getpeercert()))  # type: ignore[attr-defined]
        peer.request()
        peer.send(answer(200, b"blob"))

    import ssl

    asking = authority.context(ask_client=True)
    asking.verify_mode = ssl.CERT_OPTIONAL
    with Server(script, tls=asking) as store:
        place = [("Location", store.url)]
        first = Server(always(answer(307, b"", place)), tls=authority.context(ask_client=True))
        with first as server:
            tls = HostTls(client_pairs=((str(cert), str(key)),))
            found = world.client().request(get(server.url, tls=tls, follow=True))
    assert found.content == b"blob"
    assert seen == [False]


def reset_after_hello(peer: Peer) -> None:
    peer.starts_with(b"\x16")
    peer.reset()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            lambda peer: peer.send(answer(400, b"plain")),
            "tls: first record does not look like a TLS handshake",
        ),
        (lambda peer: peer.send(b"\0" * 9), "tls: first record does not look like a TLS handshake"),
        (lambda peer: peer.starts_with(b"\x16"), "EOF|connection reset by peer"),
        (reset_after_hello, "connection reset by peer|EOF"),
    ],
)
def test_what_does_not_speak_tls(
    world: World, script: Callable[[Peer], None], message: str
) -> None:
    with Server(script) as server, pytest.raises(NotTlsError, match=message):
        world.client().request(get(f"https://{server.address}/"))


def test_a_tls_handshake_that_hangs(world: World) -> None:
    with (
        Server(lambda peer: peer.hang()) as server,
        pytest.raises(UnavailableError, match="net/http: TLS handshake timeout"),
    ):
        world.client(QUICK).request(get(f"https://{server.address}/"))


@pytest.mark.parametrize("length", [True, False])
def test_an_answer_cut_on_the_way_is_none(world: World, authority: Authority, length: bool) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(200, b"half of it", length=length)[: -2 if length else None])
        peer.cut()

    with (
        Server(script, tls=authority.context()) as server,
        pytest.raises(UnavailableError, match=r"unexpected EOF|reset"),
    ):
        world.client().request(get(server.url))


@pytest.mark.parametrize(
    ("host", "content"),
    [
        (HostTls(ca_files=("{}/absent.crt",)), None),
        (HostTls(ca_files=("{}/wrong.crt",)), "no PEM"),
        (HostTls(client_pairs=(("{}/wrong.crt", "{}/wrong.crt"),)), "no PEM"),
    ],
)
def test_files_that_are_no_certificates(
    world: World, tmp_path: Path, host: HostTls, content: str | None
) -> None:
    if content:
        (tmp_path / "wrong.crt").write_text(content)
    placed = HostTls(
        ca_files=tuple(file.format(tmp_path) for file in host.ca_files),
        client_pairs=tuple((a.format(tmp_path), b.format(tmp_path)) for a, b in host.client_pairs),
    )
    with pytest.raises(ConfigError, match=str(tmp_path)) as caught:
        world.client().request(get("https://127.0.0.1:1/", tls=placed))
    assert caught.value.code == Code.BAD_CONFIG


# Proxies ------------------------------------------------------------------------------------------


def through(target: Server) -> Callable[[Peer], None]:
    """A proxy that tunnels whatever it is asked for to one server."""

    def script(peer: Peer) -> None:
        if peer.request():
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            peer.tunnel(("127.0.0.1", target.port))

    return script


def test_a_proxy_tunnels_tls(world: World, authority: Authority) -> None:
    context = authority.context("registry.example.test")
    with (
        Server(always(answer(200, b"far")), tls=context) as target,
        Server(through(target)) as proxy,
    ):
        client = world.client(proxies=Proxies(https=f"http://me:secret@{proxy.address}"))
        headers = {"Authorization": "Bearer token"}
        for _ in range(2):
            found = client.request(get("https://registry.example.test/v2/", headers=headers))
            assert found.content == b"far"
        assert proxy.connections == 1
        (connect,) = proxy.asked
        assert (connect.method, connect.target) == ("CONNECT", "registry.example.test:443")
        assert connect.header("proxy-authorization") == "Basic bWU6c2VjcmV0"
        assert connect.header("authorization") == ""
        assert target.asked[0].header("proxy-authorization") == ""


def ask_through(world: World, proxy: Server) -> None:
    client = world.client(proxies=Proxies(https=f"http://me:secret@{proxy.address}"))
    client.request(get("https://registry.example.test/v2/"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (answer(407, b"who"), "proxyconnect tcp: .*: 407"),
        (answer(503), "proxyconnect tcp: .*: 503"),
        (b"HTTP/1.1 200 OK\r\n\r\nsmuggled", "sent something after its answer"),
        (b"", "EOF"),
    ],
)
def test_a_proxy_that_refuses(world: World, raw: bytes, message: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(raw)

    with Server(script) as proxy, pytest.raises(UnavailableError, match=message) as caught:
        ask_through(world, proxy)
    assert "secret" not in str(caught.value)


# Whatever bytes come ------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_an_answer_that_ends_anywhere_is_an_error_of_ours(world: World, cut: int) -> None:
    raw = answer(200, b"x" * 60, [("Content-Type", "application/json")])[:cut]

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(raw)

    with Server(script) as server, pytest.raises(CountermarkError):
        world.client().request(get(server.url))
