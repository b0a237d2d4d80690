"""Many things at once: asked ahead where a registry takes that, else alone; every answer and error in its place."""

import json
from _thread import allocate_lock, get_ident
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from countermark.adapters.docker_config import CaFolders, Login
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_tls import SystemRoots
from countermark.adapters.http_url import Url
from countermark.adapters.registry import RegistryClient
from countermark.adapters.registry_auth import Authenticator
from countermark.adapters.registry_many import side_by_side
from countermark.adapters.registry_map import RegistryMap
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, CountermarkError
from countermark.core.reference import ImageReference, Repository
from countermark.formats import oci
from servers import Asked, Authority, Peer, Script, Server, answer, handling

CONTENTS = tuple(b"blob number %d" % number for number in range(40))
WANTED = tuple((Digest.of(content), len(content)) for content in CONTENTS)
BY_PATH = {f"/v2/app/blobs/{Digest.of(content)}": content for content in CONTENTS}
TAGGED = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": "x/y", "digest": str(WANTED[0][0]), "size": WANTED[0][1]},
        "layers": [],
    }
).encode()
DIGEST = ("Docker-Content-Digest", str(Digest.of(TAGGED)))
BASIC = Login(username="alice", password="a secret")
CHALLENGE = [("WWW-Authenticate", 'Basic realm="here"')]


class Logins:
    def login_for(self, registry: str, path: str = "") -> Login:
        return BASIC


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def http(authority: Authority) -> Iterator[HttpClient]:
    client = HttpClient(SystemRoots(file=str(authority.file)), pause=lambda _: None)
    yield client
    client.close()


class Known:
    """A client that has asked a registry something before, as it always has when signatures are fetched."""

    def __init__(self, http: HttpClient, server: Server) -> None:
        self.client = RegistryClient(Authenticator(http, Logins()), RegistryMap(), CaFolders(()))  # type: ignore[arg-type]
        self.server, self.repository = server, Repository(registry=server.address, path="app")
        self.client.resolve(ImageReference(repository=self.repository, tag="v1"))
        server.asked.clear()

    def blobs(
        self, wanted: Sequence[tuple[Digest, int]] = WANTED, at_once: int = 1
    ) -> list[bytes | Code]:
        found = self.client.many_blobs(self.repository, wanted, at_once)
        return [each.code if isinstance(each, CountermarkError) else each for each in found]


def right(asked: Asked) -> bytes:
    if asked.path.startswith("/v2/app/manifests/"):
        whole = answer(200, TAGGED, [("Content-Type", oci.OCI_MANIFEST), DIGEST])
        return whole[: -len(TAGGED)] if asked.method == "HEAD" else whole
    if asked.path in BY_PATH:
        return answer(200, BY_PATH[asked.path])
    return answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"no such blob"}]}')


def in_batches(*sizes: int, then: Callable[[Peer, list[Asked]], None]) -> Script:
    """Answer manifests; of blobs read so many requests before any is answered, then leave it to ``then``."""

    left = list(sizes)  # over all connections

    def script(peer: Peer) -> None:
        while asked := peer.request():
            if "/blobs/" not in asked.path:
                peer.send(right(asked))
                continue
            batch = [asked]
            for _ in range((left.pop(0) if left else 1) - 1):
                more = peer.request()
                assert more
                batch.append(more)
            then(peer, batch)

    return script


def all_right(peer: Peer, batch: list[Asked]) -> None:
    peer.send(b"".join(right(each) for each in batch))


def blobs_asked(server: Server) -> list[str]:
    return [each.path for each in server.asked if "/blobs/" in each.path]


@pytest.mark.parametrize("count", [0, 1, 2, 4, 16, 17, 40])
def test_all_come_in_their_order(http: HttpClient, authority: Authority, count: int) -> None:
    with Server(handling(right), tls=authority.context()) as server:
        assert Known(http, server).blobs(WANTED[:count]) == list(CONTENTS[:count])
    assert blobs_asked(server) == list(BY_PATH)[:count]
    assert server.connections == 1


def test_a_batch_is_sent_before_the_first_answer(http: HttpClient, authority: Authority) -> None:
    """The server answers none before it has read 16: who waits in between would wait for ever."""
    script = in_batches(16, 16, 8, then=all_right)
    with Server(script, tls=authority.context()) as server:
        assert Known(http, server).blobs() == list(CONTENTS)


def test_few_are_spread_before_many_go_over_one_connection(
    http: HttpClient, authority: Authority
) -> None:
    """40 for eight connections are batches of 5: a server that waits for more would wait for ever."""
    with Server(in_batches(*[5] * 8, then=all_right), tls=authority.context()) as server:
        assert Known(http, server).blobs(at_once=8) == list(CONTENTS)


def test_no_more_is_sent_ahead_than_a_server_takes(
    http: HttpClient, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for three requests a server that waits for a fourth would wait for ever."""
    monkeypatch.setattr(limits, "AHEAD_BYTES", 700)
    seen: list[int] = []

    def then(peer: Peer, batch: list[Asked]) -> None:
        seen.append(len(batch))
        all_right(peer, batch)

    with Server(in_batches(3, 3, 2, then=then), tls=authority.context()) as server:
        assert Known(http, server).blobs(WANTED[:8]) == list(CONTENTS[:8])
    assert seen == [3, 3, 2]


def test_what_cannot_be_had_leaves_out_no_other(http: HttpClient, authority: Authority) -> None:
    bad = {WANTED[1][0]: answer(200, b"anothr number"), WANTED[3][0]: answer(403, b"no")}
    bad[WANTED[5][0]] = answer(200, b"x" * 1000)

    def handle(asked: Asked) -> bytes:
        return next((made for d, made in bad.items() if str(d) in asked.path), right(asked))

    missing = (Digest.of(b"missing"), 7)
    with Server(handling(handle), tls=authority.context()) as server:
        found = Known(http, server).blobs([*WANTED[:6], missing, *WANTED[6:9]])
    expected: list[bytes | Code] = [*CONTENTS[:9]]
    expected[1], expected[3], expected[5] = Code.CHECKSUM, Code.REFUSED, Code.TOO_LARGE
    expected.insert(6, Code.NOT_FOUND)
    assert found == expected


def test_answers_in_another_order_are_no_answers(http: HttpClient, authority: Authority) -> None:
    def then(peer: Peer, batch: list[Asked]) -> None:
        peer.send(b"".join(right(each) for each in reversed(batch)))

    with Server(in_batches(4, then=then), tls=authority.context()) as server:
        assert Known(http, server).blobs(WANTED[:4]) == [Code.CHECKSUM] * 4


def test_what_another_writes_just_now_is_asked_for_again(
    http: HttpClient, authority: Authority
) -> None:
    """docker-registry answers 500 then, ahead as alone."""
    left = [answer(500, b"{}")] * 2

    def handle(asked: Asked) -> bytes:
        return left.pop() if left and asked.path.endswith(str(WANTED[2][0])) else right(asked)

    with Server(handling(handle), tls=authority.context()) as server:
        assert Known(http, server).blobs(WANTED[:5]) == list(CONTENTS[:5])
    assert blobs_asked(server).count(list(BY_PATH)[2]) == 3


def closing(peer: Peer, batch: list[Asked]) -> None:
    """Answer the first and end the connection, as RFC 9112, 9.3 lets a server."""
    if len(batch) > 1:
        first = right(batch[0])
        peer.send(first.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        peer.reset()
    else:
        all_right(peer, batch)


def resetting(peer: Peer, batch: list[Asked]) -> None:
    if len(batch) > 1:
        peer.reset()
    else:
        all_right(peer, batch)


def babbling(peer: Peer, batch: list[Asked]) -> None:
    all_right(peer, batch[:1])
    if len(batch) > 1:
        peer.send(b"and so on\r\n\r\n")


def silent(peer: Peer, batch: list[Asked]) -> None:
    """Swallow what comes before the first is answered, as some proxies do."""
    all_right(peer, batch[:1])
    if len(batch) > 1:
        peer.hang()


@pytest.mark.parametrize("then", [closing, resetting, babbling, silent])
def test_who_does_not_answer_what_is_asked_ahead_is_asked_one_by_one(
    http: HttpClient,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    then: Callable[[Peer, list[Asked]], None],
) -> None:
    monkeypatch.setattr(limits, "AHEAD_SECONDS", 0.2)
    with Server(in_batches(4, then=then), tls=authority.context()) as server:
        known = Known(http, server)
        assert known.blobs(WANTED[:4]) == list(CONTENTS[:4])
        server.asked.clear()
        assert known.blobs(WANTED[4:8]) == list(CONTENTS[4:8])
        # and that is remembered: no second connection has been asked for four at once
        assert blobs_asked(server) == list(BY_PATH)[4:8]


def sending_to(place: str, *, status: int = 307) -> Callable[[Asked], bytes]:
    """Answer for blobs that they are elsewhere, as registries before a bucket do."""

    def handle(asked: Asked) -> bytes:
        if "/blobs/" not in asked.path or asked.path.startswith("/store"):
            return stored(asked) if asked.path.startswith("/store") else right(asked)
        return answer(status, b"", [("Location", f"{place}/store{asked.path}?signed=1")])

    return handle


def stored(asked: Asked) -> bytes:
    return right(Asked("GET", asked.path[len("/store") :], [], b""))


def test_blobs_that_are_elsewhere_are_asked_for_ahead_there_too(
    http: HttpClient, authority: Authority
) -> None:
    """By a batch on one connection to each, and whoever has them is not told who we are."""
    sizes: list[int] = []

    def bucket(peer: Peer) -> None:
        batch = [asked for asked in (peer.request() for _ in range(4)) if asked]
        sizes.append(len(batch))
        peer.send(b"".join(stored(asked) for asked in batch))
        peer.hang()

    with Server(bucket, tls=authority.context()) as store:
        handle = sending_to(store.url)

        def known(asked: Asked) -> bytes:
            login = asked.header("authorization").startswith("Basic ")
            return handle(asked) if login else answer(401, b"{}", CHALLENGE)

        with Server(handling(known), tls=authority.context()) as server:
            assert Known(http, server).blobs(WANTED[:4]) == list(CONTENTS[:4])
    assert sizes == [4]
    assert len(server.asked) == 4
    assert [each.target for each in store.asked] == [
        f"/store{path}?signed=1" for path in list(BY_PATH)[:4]
    ]
    assert not any(each.header("authorization") for each in store.asked)


def test_blobs_that_are_elsewhere_on_the_same_server(
    http: HttpClient, authority: Authority
) -> None:
    with Server(handling(sending_to("")), tls=authority.context()) as server:
        known = Known(http, server)
        for _ in range(2):
            server.asked.clear()
            assert known.blobs(WANTED[:4]) == list(CONTENTS[:4])
            assert len(server.asked) == 2 * 4


@pytest.mark.parametrize("place", ["http://192.0.2.1", "https://[", ""])
def test_who_sends_where_nobody_goes(http: HttpClient, authority: Authority, place: str) -> None:
    """From TLS to none, to what is no URL, without a place: whoever asks alone is told so."""

    def handle(asked: Asked) -> bytes:
        if "/blobs/" not in asked.path:
            return right(asked)
        return answer(307, b"", [("Location", place)] if place else [])

    codes = {"http://192.0.2.1": Code.INSECURE, "https://[": Code.MALFORMED}
    with Server(handling(handle), tls=authority.context()) as server:
        known = Known(http, server)
        assert known.blobs(WANTED[:2]) == [codes.get(place, Code.UNAVAILABLE)] * 2


def test_who_sends_on_and_on_is_asked_one_by_one(http: HttpClient, authority: Authority) -> None:
    def handle(asked: Asked) -> bytes:
        if asked.path.startswith("/again"):
            return answer(302, b"", [("Location", f"/store{asked.path[len('/again') :]}")])
        if asked.path.startswith("/store") or "/blobs/" not in asked.path:
            return sending_to("")(asked)
        return answer(307, b"", [("Location", f"/again{asked.path}")])

    with Server(handling(handle), tls=authority.context()) as server:
        known = Known(http, server)
        assert known.blobs(WANTED[:4]) == list(CONTENTS[:4])
        assert len(server.asked) == 4 * (2 + 3)
        server.asked.clear()
        assert known.blobs(WANTED[:4]) == list(CONTENTS[:4])
        assert len(server.asked) == 4 * 3


def test_who_is_asked_says_who_may(http: HttpClient, authority: Authority) -> None:
    def handle(asked: Asked) -> bytes:
        known = asked.header("authorization").startswith("Basic ")
        return right(asked) if known else answer(401, b"{}", CHALLENGE)

    with Server(handling(handle), tls=authority.context()) as server:
        assert Known(http, server).blobs(WANTED[:4]) == list(CONTENTS[:4])
    assert len(server.asked) == 4
    assert all(each.header("authorization") for each in server.asked)


def test_a_registry_that_nothing_is_known_of_is_asked_first(http: HttpClient) -> None:
    """On loopback it may speak TLS or not; ahead is only asked who has been asked before."""
    with Server(handling(right)) as server:
        client = RegistryClient(Authenticator(http, Logins()), RegistryMap(), CaFolders(()))  # type: ignore[arg-type]
        client._requests._schemes[server.address] = "http"
        repository = Repository(registry=server.address, path="app")
        assert client.many_blobs(repository, WANTED[:4], 1) == list(CONTENTS[:4])
        assert len(server.asked) == 4


def test_a_connection_that_ends_with_the_last_answer_is_not_used_again(
    http: HttpClient, authority: Authority
) -> None:
    def then(peer: Peer, batch: list[Asked]) -> None:
        *before, last = [right(each) for each in batch]
        peer.send(b"".join(before) + last.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    with Server(in_batches(4, then=then), tls=authority.context()) as server:
        known = Known(http, server)
        before = server.connections
        assert known.blobs(WANTED[:4]) == list(CONTENTS[:4])
        assert known.blobs(WANTED[4:5]) == list(CONTENTS[4:5])
        assert server.connections == before + 1


def test_manifests_at_once(http: HttpClient, authority: Authority) -> None:
    with Server(handling(right), tls=authority.context()) as server:
        known = Known(http, server)
        digest, other = Digest.of(TAGGED), Digest.of(b"other")
        wanted = [(digest, len(TAGGED)), (other, 5)]
        one, none = known.client.many_manifests(known.repository, wanted, 1)
    assert one == (TAGGED, oci.OCI_MANIFEST)
    assert isinstance(none, CountermarkError)
    assert none.code == Code.CHECKSUM
    assert all(each.header("accept") for each in server.asked)


def test_what_is_long_is_asked_for_alone(http: HttpClient, authority: Authority) -> None:
    """Of what is asked ahead much could be in memory before any of it is checked."""
    contents = [bytes([number]) * (limits.AHEAD_ANSWER_BYTES + number % 2) for number in range(4)]
    by_path = {f"/v2/app/blobs/{Digest.of(content)}": content for content in contents}
    batches: list[int] = []

    def then(peer: Peer, batch: list[Asked]) -> None:
        batches.append(len(batch))
        peer.send(b"".join(answer(200, by_path[each.path]) for each in batch))

    with Server(in_batches(2, then=then), tls=authority.context()) as server:
        found = Known(http, server).blobs([(Digest.of(each), len(each)) for each in contents])
    assert found == contents
    assert batches == [2, 1, 1]


def test_who_says_that_it_is_short_and_sends_more(http: HttpClient, authority: Authority) -> None:
    """What a list says of a manifest's size is not believed: it comes all the same, alone."""
    padded = TAGGED + b" " * limits.AHEAD_ANSWER_BYTES

    def handle(asked: Asked) -> bytes:
        long = asked.path.endswith(str(Digest.of(padded)))
        return answer(200, padded, [("Content-Type", oci.OCI_MANIFEST)]) if long else right(asked)

    with Server(handling(handle), tls=authority.context()) as server:
        known = Known(http, server)
        wanted = [(Digest.of(TAGGED), 1), (Digest.of(padded), 1), (Digest.of(TAGGED), 1)]
        found = known.client.many_manifests(known.repository, wanted, 1)
    assert found == [(each, oci.OCI_MANIFEST) for each in (TAGGED, padded, TAGGED)]


def test_all_manifests_together_have_a_bound(
    http: HttpClient, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_BYTES", 2 * len(TAGGED) + 1)
    with Server(handling(right), tls=authority.context()) as server:
        known = Known(http, server)
        wanted = [(Digest.of(TAGGED), len(TAGGED))] * 3
        one, two, three = known.client.many_manifests(known.repository, wanted, 1)
    assert one == two == (TAGGED, oci.OCI_MANIFEST)
    assert isinstance(three, CountermarkError)
    assert three.code == Code.TOO_LARGE


def test_plain_http_elsewhere_is_not_asked_ahead_either(http: HttpClient) -> None:
    request = HttpRequest(method="GET", url=Url.parse("http://192.0.2.1/"))
    assert http.ahead(request, ["/one", "/two"]) == []


def test_nobody_is_there_to_be_asked(http: HttpClient) -> None:
    with Server(handling(right)) as server:
        url = Url.parse(f"{server.url}/")
    assert http.ahead(HttpRequest(method="GET", url=url), ["/one", "/two"]) == []


# Side by side -----------------------------------------------------------------------------------------


class Clock:
    """Each look at it takes so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._now = seconds, 0.0

    def __call__(self) -> float:
        self._now += self._seconds
        return self._now


@pytest.mark.parametrize("seconds", [0.0, 1.0])
@pytest.mark.parametrize("threads", [1, 2, 8, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 9, 50])
def test_results_come_in_order(count: int, threads: int, seconds: float) -> None:
    found = side_by_side(lambda n: n * n, range(count), threads, Clock(seconds))
    assert found == [n * n for n in range(count)]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_bug_is_raised(threads: int) -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda n: 1 // n, [1, 1, 0, 1, 1], threads, Clock(1.0))


def test_what_takes_long_is_shared() -> None:
    """After the first each of three holds a lock that the next one lets go: one thread alone would never end."""
    gates = [allocate_lock() for _ in range(4)]
    for gate in gates:
        gate.acquire()
    seen: set[int] = set()

    def work(number: int) -> int:
        if 1 <= number <= 3:
            seen.add(get_ident())
            if number < 3:
                assert gates[number].acquire(timeout=30)
            if number > 1:
                gates[number - 1].release()
        return number

    assert side_by_side(work, range(9), 3, Clock(1.0)) == list(range(9))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("seconds", "count", "most"), [(0.0, 50, 1), (1.0, 1, 1), (1.0, 2, 2), (1.0, 50, 8)]
)
def test_a_connection_has_to_be_worth_it(seconds: float, count: int, most: int) -> None:
    seen: set[int] = set()
    side_by_side(lambda _: seen.add(get_ident()), range(count), 8, Clock(seconds))
    assert 1 <= len(seen) <= most
