"""The registry client against registries that lie, and one that does not."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from countermark.adapters.docker_config import CaFolders, Login
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import SystemRoots
from countermark.adapters.registry import RegistryClient
from countermark.adapters.registry_auth import Authenticator
from countermark.adapters.registry_map import RegistryMap, RegistryPlace
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import oci
from servers import Asked, Authority, Peer, Script, Server, always, answer, closed_port, handling

CONFIG = b"{}"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": "x/y", "digest": str(Digest.of(CONFIG)), "size": 2},
        "layers": [],
    }
).encode()
DIGEST = Digest.of(MANIFEST)
TYPED = [("Content-Type", oci.OCI_MANIFEST)]
STATED = [*TYPED, ("Docker-Content-Digest", str(DIGEST))]


class Table:
    def __init__(self, logins: dict[str, Login]) -> None:
        self._logins = logins

    def login_for(self, registry: str, path: str = "") -> Login | None:
        return self._logins.get(registry)


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(SystemRoots(folders=("/nonexistent",)), pause=lambda _: None)
    yield client
    client.close()


@pytest.fixture
def registry(http: HttpClient) -> RegistryClient:
    return made(http)


def made(
    http: HttpClient,
    places: dict[str, RegistryPlace] | None = None,
    folders: tuple[str, ...] = (),
    logins: dict[str, Login] | None = None,
) -> RegistryClient:
    """A client whose blobs above 1,000 bytes go in chunks of 400."""
    authenticator = Authenticator(http, Table(logins or {}))  # type: ignore[arg-type]
    certificates = CaFolders(folders)
    return RegistryClient(
        authenticator, RegistryMap(places), certificates, whole_bytes=1000, chunk_bytes=400
    )


def reference(server: Server, rest: str = "team/app:v1") -> ImageReference:
    return ImageReference.parse(f"{server.address}/{rest}")


def plain(script: Script) -> Script:
    """A script for a registry without TLS: the client's TLS hello is refused as Go's server does."""

    def wrapped(peer: Peer) -> None:
        if peer.starts_with(b"\x16"):
            peer.send(
                b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n"
            )
        else:
            script(peer)

    return wrapped


def head(body: bytes, headers: list[tuple[str, str]], status: int = 200) -> bytes:
    return answer(status, body, headers)[: -len(body) or None]


def serving(
    content: bytes, headers: list[tuple[str, str]], *, heads: bool = True
) -> Callable[[Asked], bytes]:
    def handle(asked: Asked) -> bytes:
        if asked.method == "HEAD":
            return head(content, headers) if heads else head(b"", [], 405)
        return answer(200, content, headers)

    return handle


# Which digest a tag has ---------------------------------------------------------------------------


def test_resolve(registry: RegistryClient) -> None:
    with Server(plain(handling(serving(MANIFEST, STATED)))) as server:
        wanted = reference(server)
        assert registry.resolve(wanted) == Subject(
            repository=wanted.repository,
            digest=DIGEST,
            tag="v1",
            size=len(MANIFEST),
            media_type=oci.OCI_MANIFEST,
        )
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("HEAD", "/v2/team/app/manifests/v1")
    assert set(asked.header("accept").split(", ")) == set(oci.MEDIA_TYPES)


@pytest.mark.parametrize(
    ("headers", "heads"),
    [
        (TYPED, True),  # no digest stated
        (STATED, False),  # HEAD is not known
        ([("Docker-Content-Digest", str(DIGEST))], True),  # no type stated
        ([("Docker-Content-Digest", str(DIGEST)), ("Content-Type", "application/json")], True),
    ],
)
def test_where_head_does_not_say_get_does(
    registry: RegistryClient, headers: list[tuple[str, str]], heads: bool
) -> None:
    with Server(plain(handling(serving(MANIFEST, headers, heads=heads)))) as server:
        found = registry.resolve(reference(server))
    assert (found.digest, found.size) == (DIGEST, len(MANIFEST))
    assert found.media_type == oci.OCI_MANIFEST
    assert [asked.method for asked in server.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("rest", "target"),
    [
        ("app", "/v2/app/manifests/latest"),
        (f"app@{DIGEST}", f"/v2/app/manifests/{DIGEST}"),
        (f"app:v1@{DIGEST}", f"/v2/app/manifests/{DIGEST}"),
    ],
)
def test_what_is_asked_for(registry: RegistryClient, rest: str, target: str) -> None:
    with Server(plain(handling(serving(MANIFEST, STATED)))) as server:
        assert registry.resolve(reference(server, rest)).digest == DIGEST
    assert server.asked[0].target == target


OTHER = Digest.of(b"other")


@pytest.mark.parametrize(
    ("rest", "content", "headers", "heads", "code"),
    [
        pytest.param(
            f"app@{OTHER}", MANIFEST, STATED, True, Code.CHECKSUM, id="another digest by HEAD"
        ),
        pytest.param(
            f"app@{OTHER}", MANIFEST, TYPED, False, Code.CHECKSUM, id="another digest by GET"
        ),
        pytest.param(
            "app",
            MANIFEST,
            [*TYPED, ("Docker-Content-Digest", str(OTHER))],
            False,
            Code.CHECKSUM,
            id="states another digest than it has",
        ),
        pytest.param(
            "app",
            MANIFEST,
            [*TYPED, ("Docker-Content-Digest", "md5:x")],
            True,
            Code.MALFORMED,
            id="states no digest",
        ),
        pytest.param(
            "app", b"<html>", [("Content-Type", "text/html")], True, Code.MALFORMED, id="HTML"
        ),
        pytest.param(
            "app",
            b"{}",
            [("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")],
            True,
            Code.NOT_SUPPORTED,
            id="schema 1",
        ),
        pytest.param(
            "app",
            MANIFEST,
            [("Content-Type", oci.OCI_INDEX)],
            False,
            Code.MALFORMED,
            id="a manifest sent as an index",
        ),
        pytest.param(
            "app", b" " * (limits.MANIFEST_BYTES + 1), STATED, True, Code.TOO_LARGE, id="too large"
        ),
    ],
)
def test_answers_that_contradict_themselves(
    registry: RegistryClient,
    rest: str,
    content: bytes,
    headers: list[tuple[str, str]],
    heads: bool,
    code: Code,
) -> None:
    with (
        Server(plain(handling(serving(content, headers, heads=heads)))) as server,
        pytest.raises(EvidenceError) as caught,
    ):
        registry.resolve(reference(server, rest))
    assert caught.value.code == code


def test_two_digests_are_none(registry: RegistryClient) -> None:
    headers = [*STATED, ("Docker-Content-Digest", str(OTHER))]
    with (
        Server(plain(handling(serving(MANIFEST, headers)))) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        registry.resolve(reference(server))
    assert caught.value.code == Code.MALFORMED


def test_manifest(registry: RegistryClient) -> None:
    with Server(plain(handling(serving(MANIFEST, STATED)))) as server:
        repository = reference(server).repository
        assert registry.manifest(repository, DIGEST) == (MANIFEST, oci.OCI_MANIFEST)
        with pytest.raises(EvidenceError) as caught:
            registry.manifest(repository, OTHER)
    assert caught.value.code == Code.CHECKSUM


def test_a_manifest_under_its_sha512(registry: RegistryClient) -> None:
    long = Digest.of(MANIFEST, "sha512")
    with Server(plain(handling(serving(MANIFEST, TYPED)))) as server:
        assert registry.manifest(reference(server).repository, long)[0] == MANIFEST


# Refusals -----------------------------------------------------------------------------------------


def refusal(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            404,
            b"",
            NotFoundError,
            "manifest for {}/team/app:v1 not found: manifest unknown: manifest unknown",
        ),
        (401, b"", RefusedError, "access to {}/team/app denied: server returned 401"),
        (403, b"", RefusedError, "access to {}/team/app denied: server returned 403"),
        (429, b"", UnavailableError, "manifest for {0}/team/app:v1: registry {0} returned 429"),
        (500, b"", UnavailableError, "manifest for {0}/team/app:v1: registry {0} returned 500"),
        (301, b"", UnavailableError, "manifest for {0}/team/app:v1: registry {0} returned 301"),
        (418, b"", RefusedError, "manifest for {0}/team/app:v1: registry {0} returned 418"),
    ],
)
def test_statuses(
    registry: RegistryClient,
    status: int,
    body: bytes,
    kind: type[CountermarkError],
    message: str,
) -> None:
    with (
        Server(plain(always(answer(status, body)))) as server,
        pytest.raises(kind) as caught,
    ):
        registry.resolve(reference(server))
    assert str(caught.value) == message.format(server.address)
    assert getattr(caught.value, "status", None) == status


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (refusal("DENIED", "no \x1b[2J way"), ": denied: no \\x1b[2J way"),
        (refusal("UNAUTHORIZED", "x" * 1000), ": unauthorized: " + "x" * 286),
        (b"<html>", ": server returned 403"),
        (b'{"errors": [{"code": 5}]}', ": server returned 403"),
    ],
)
def test_what_a_registry_says(registry: RegistryClient, body: bytes, said: str) -> None:
    with (
        Server(plain(always(answer(403, body)))) as server,
        pytest.raises(RefusedError) as caught,
    ):
        registry.manifest(reference(server).repository, DIGEST)
    assert str(caught.value) == f"access to {server.address}/team/app denied{said}"
    assert caught.value.body == body[:1024]
    assert caught.value.hint == f"docker login {server.address}"


def test_nothing_listens(registry: RegistryClient) -> None:
    port = closed_port()
    with pytest.raises(UnavailableError) as caught:
        registry.resolve(ImageReference.parse(f"127.0.0.1:{port}/app:v1"))
    assert str(caught.value) == (
        f'Head "https://127.0.0.1:{port}/v2/app/manifests/v1": '
        f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    )


# http and https -----------------------------------------------------------------------------------


def test_plain_http_is_found_out_once(registry: RegistryClient) -> None:
    with Server(plain(handling(serving(MANIFEST, STATED)))) as server:
        for _ in range(3):
            registry.resolve(reference(server))
        assert server.connections == 2  # one spoke TLS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_https_comes_first(http: HttpClient, tmp_path: Path, host: str) -> None:
    authority = Authority(tmp_path)
    with Server(handling(serving(MANIFEST, STATED)), tls=authority.context()) as server:
        name = f"{host}:{server.port}"
        place = tmp_path / "certs.d" / name
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(authority.file.read_bytes())
        registry = made(http, folders=(str(tmp_path / "certs.d"),))
        assert registry.resolve(ImageReference.parse(f"{name}/app")).digest == DIGEST


def test_a_bad_certificate_is_no_reason_for_plain_http(
    registry: RegistryClient, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with (
        Server(handling(serving(MANIFEST, STATED)), tls=authority.context()) as server,
        pytest.raises(UnavailableError, match="certificate signed by unknown authority"),
    ):
        registry.resolve(reference(server))
    assert server.asked == []


def test_plain_http_is_not_for_what_only_resolves_to_loopback(registry: RegistryClient) -> None:
    """Resolvers take 127.1 for 127.0.0.1, as they take a name that somebody's DNS answers so."""
    with (
        Server(plain(handling(serving(MANIFEST, STATED)))) as server,
        pytest.raises(UnavailableError, match="does not look like a TLS handshake"),
    ):
        registry.resolve(ImageReference.parse(f"127.1:{server.port}/app"))
    assert server.asked == []


def test_a_registry_that_is_elsewhere(http: HttpClient) -> None:
    with Server(plain(handling(serving(MANIFEST, STATED)))) as server:
        registry = made(http, {"docker.io": RegistryPlace(at=f"{server.address}/hub")})
        found = registry.resolve(ImageReference.parse("alpine:3"))
    assert str(found) == f"docker.io/library/alpine:3@{DIGEST}"
    assert server.asked[0].path == "/v2/hub/library/alpine/manifests/3"


def test_logins_of_places(http: HttpClient) -> None:
    def handle(asked: Asked) -> bytes:
        if asked.header("authorization"):
            return serving(MANIFEST, STATED)(asked)
        return head(b"", [("WWW-Authenticate", "Basic")], 401)

    with Server(plain(handling(handle))) as server:
        logins = {server.address: Login(username="a", password="secret")}
        assert made(http, logins=logins).resolve(reference(server)).digest == DIGEST
        anonymous = {server.address: RegistryPlace(login="none")}
        with pytest.raises(RefusedError) as caught:
            made(http, anonymous, logins=logins).resolve(reference(server))
    assert caught.value.hint == ""


# Blobs --------------------------------------------------------------------------------------------


def test_open_blob(registry: RegistryClient) -> None:
    content = b"x" * 1_000_000
    with Server(plain(always(answer(200, content)))) as server:
        repository = reference(server).repository
        digest = Digest.of(content)
        assert b"".join(registry.open_blob(repository, digest, len(content))) == content
    assert server.asked[0].target == f"/v2/team/app/blobs/{digest}"


def test_a_blob_from_a_store_elsewhere(http: HttpClient) -> None:
    with Server(always(answer(200, CONFIG))) as store:

        def handle(asked: Asked) -> bytes:
            if not asked.header("authorization"):
                return answer(401, b"", [("WWW-Authenticate", "Basic")])
            return answer(307, b"", [("Location", f"{store.url}/b?sig=s")])

        with Server(plain(handling(handle))) as server:
            logins = {server.address: Login(username="a", password="secret")}
            repository = reference(server).repository
            registry = made(http, logins=logins)
            assert b"".join(registry.open_blob(repository, Digest.of(CONFIG), 2)) == CONFIG
    assert store.asked[0].header("authorization") == ""


@pytest.mark.parametrize(
    ("content", "size", "code"),
    [(b"abd", 3, Code.CHECKSUM), (b"ab", 3, Code.CHECKSUM), (b"abcd", 3, Code.TOO_LARGE)],
)
def test_blobs_that_are_others(
    registry: RegistryClient, content: bytes, size: int, code: Code
) -> None:
    with (
        Server(plain(always(answer(200, content)))) as server,
        pytest.raises(EvidenceError) as caught,
    ):
        list(registry.open_blob(reference(server).repository, Digest.of(b"abc"), size))
    assert caught.value.code == code


def test_a_blob_given_up(registry: RegistryClient) -> None:
    content = b"x" * 1_000_000
    with Server(plain(always(answer(200, content)))) as server:
        pieces = registry.open_blob(reference(server).repository, Digest.of(content), len(content))
        next(iter(pieces))
        pieces.close()  # type: ignore[attr-defined]


# Lists --------------------------------------------------------------------------------------------


def test_tags(registry: RegistryClient) -> None:
    def handle(asked: Asked) -> bytes:
        if "last" in asked.target:
            return answer(200, b'{"name":"x","tags":["c"]}')
        link = [("Link", '</v2/team/app/tags/list?last=b&n=2>; rel="next"')]
        return answer(200, b'{"name":"x","tags":["a","b"]}', link)

    with Server(plain(handling(handle))) as server:
        assert list(registry.tags(reference(server).repository)) == ["a", "b", "c"]
    assert server.asked[0].target == f"/v2/team/app/tags/list?n={limits.TAG_PAGE}"


@pytest.mark.parametrize("body", [b'{"tags":null}', b'{"tags":[]}', b"{}"])
def test_no_tags(registry: RegistryClient, body: bytes) -> None:
    with Server(plain(always(answer(200, body)))) as server:
        assert list(registry.tags(reference(server).repository)) == []


@pytest.mark.parametrize(
    ("body", "link"),
    [
        (b"[]", ""),
        (b'{"tags":[5]}', ""),
        (b'{"tags":["a b"]}', ""),
        (b'{"tags":["\\u001b[2J"]}', ""),
        (b'{"tags":[]}', "<https://evil.test/v2/>; rel=next"),
        (b'{"tags":[]}', "<ftp://x>; rel=next"),
        (b'{"tags":[]}', f"</v2/team/app/tags/list?n={limits.TAG_PAGE}>; rel=next"),
    ],
)
def test_lists_that_are_none(registry: RegistryClient, body: bytes, link: str) -> None:
    fields = [("Link", link)] if link else []
    with (
        Server(plain(always(answer(200, body, fields)))) as server,
        pytest.raises(MalformedError),
    ):
        list(registry.tags(reference(server).repository))
    assert len(server.asked) == 1


def test_tags_for_ever(registry: RegistryClient) -> None:
    count = iter(range(10**9))

    def handle(_: Asked) -> bytes:
        return answer(200, b'{"tags":[]}', [("Link", f"</v2/x?{next(count)}>; rel=next")])

    with (
        Server(plain(handling(handle))) as server,
        pytest.raises(MalformedError) as caught,
    ):
        list(registry.tags(reference(server).repository))
    assert caught.value.code == Code.TOO_LARGE


def entry(digest: Digest, artifact: str) -> oci.Descriptor:
    return oci.Descriptor(
        media_type=oci.OCI_MANIFEST, digest=digest, size=3, artifact_type=artifact
    )


ENTRIES = (entry(Digest.of(b"1"), "a/b"), entry(Digest.of(b"2"), "c/d"))
LISTED = answer(200, oci.encode_index(ENTRIES), [("Content-Type", oci.OCI_INDEX)])


def test_referrers_by_the_api(registry: RegistryClient) -> None:
    with Server(plain(always(LISTED))) as server:
        repository = reference(server).repository
        assert registry.referrers(repository, DIGEST) == ENTRIES
        assert registry.referrers(repository, DIGEST, "c/d") == ENTRIES[1:]
    assert [asked.target for asked in server.asked] == [
        f"/v2/team/app/referrers/{DIGEST}",
        f"/v2/team/app/referrers/{DIGEST}?artifactType=c%2Fd",
    ]


@pytest.mark.parametrize(
    "without",
    [
        answer(404),
        answer(400),
        answer(406),
        answer(405),
        answer(200, b"{}", [("Content-Type", "x/y")]),
    ],
)
def test_referrers_by_the_tag(registry: RegistryClient, without: bytes) -> None:
    def handle(asked: Asked) -> bytes:
        if asked.path.endswith(f"/manifests/sha256-{DIGEST.hex}"):
            return LISTED
        return without

    with Server(plain(handling(handle))) as server:
        assert registry.referrers(reference(server).repository, DIGEST, "a/b") == ENTRIES[:1]


def test_no_referrers(registry: RegistryClient) -> None:
    with Server(plain(always(answer(404)))) as server:
        assert registry.referrers(reference(server).repository, DIGEST) == ()


def test_an_image_on_the_fallback_tag_lists_nothing(registry: RegistryClient) -> None:
    with Server(plain(always(answer(404), answer(200, MANIFEST, TYPED)))) as server:
        assert registry.referrers(reference(server).repository, DIGEST) == ()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_referrers_that_nobody_tells_are_not_none(registry: RegistryClient, status: int) -> None:
    with (
        Server(plain(always(answer(status)))) as server,
        pytest.raises((RefusedError, UnavailableError)),
    ):
        registry.referrers(reference(server).repository, DIGEST)


# Pushing ------------------------------------------------------------------------------------------


class Registry:
    """A registry in memory, as far as the tests push to one; faults are its first answers to some requests."""

    def __init__(self, *, api: bool = False, chunks: bool = True) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.api, self.chunks = api, chunks
        self.faults: dict[str, list[Callable[[Asked], bytes]]] = {}
        self.least = ""

    def __call__(self, asked: Asked) -> bytes:
        faults = self.faults.get(asked.method)
        if faults:
            return faults.pop(0)(asked)
        part = asked.path.removeprefix("/v2/team/app/")
        kind, _, name = part.partition("/")
        if name.startswith("uploads/"):
            return self._upload(asked, name.removeprefix("uploads/"))
        if kind == "blobs":
            return answer(200 if name in self.blobs else 404)
        return self._manifest(asked, kind, name)

    def _upload(self, asked: Asked, name: str) -> bytes:
        if asked.method == "POST":
            name = str(len(self.uploads))
            self.uploads[name] = b""
            return answer(
                202, b"", [("Location", f"/v2/team/app/blobs/uploads/{name}?s=1"), *self._least()]
            )
        if asked.method == "DELETE":
            known = self.uploads.pop(name, None)
            return answer(404) if known is None else answer(204, length=False)
        if asked.method == "PATCH" and not self.chunks:
            return answer(405)
        if asked.method == "PATCH" and not asked.header("content-range").startswith(
            f"{len(self.uploads[name])}-"
        ):
            return answer(416, b"", self.state(name))
        self.uploads[name] += asked.body
        if asked.method != "PUT":
            return answer(
                204 if asked.method == "GET" else 202,
                b"",
                self.state(name),
                length=asked.method != "GET",
            )
        digest = asked.target.partition("digest=")[2].replace("%3A", ":")
        content = self.uploads.pop(name)
        if str(Digest.of(content)) != digest:
            return answer(400, refusal("DIGEST_INVALID", "no"))
        self.blobs[digest] = content
        return answer(201, b"", [("Docker-Content-Digest", digest)])

    def _least(self) -> list[tuple[str, str]]:
        return [("OCI-Chunk-Min-Length", self.least)] if self.least else []

    def state(self, name: str) -> list[tuple[str, str]]:
        last = max(len(self.uploads[name]) - 1, 0)
        return [("Location", f"/v2/team/app/blobs/uploads/{name}?s={last}"), ("Range", f"0-{last}")]

    def put(self, asked: Asked) -> bytes:
        """Take a manifest, as without a fault."""
        return self._manifest(asked, "manifests", asked.path.rpartition("/")[2])

    def _manifest(self, asked: Asked, kind: str, name: str) -> bytes:
        if kind == "referrers":
            index = answer(200, oci.encode_index(()), [("Content-Type", oci.OCI_INDEX)])
            return index if self.api else answer(404)
        if asked.method == "PUT":
            self.manifests[name] = asked.body
            digest = str(Digest.of(asked.body))
            self.manifests[digest] = asked.body
            subject = [("OCI-Subject", "x")] if self.api and b'"subject"' in asked.body else []
            return answer(201, b"", [("Docker-Content-Digest", digest), *subject])
        if asked.method == "DELETE":
            return answer(202 if self.manifests.pop(name, None) else 404)
        if kind == "tags":
            last = asked.target.partition("&last=")[2]
            tags = sorted(n for n in self.manifests if ":" not in n and n > last)
            return answer(200, json.dumps({"name": "team/app", "tags": tags}).encode())
        found = self.manifests.get(name)
        kinds = (oci.OCI_INDEX, oci.OCI_MANIFEST)
        kind = kinds[found is not None and b'"manifests"' not in found]
        return answer(200, found, [("Content-Type", kind)]) if found else answer(404)


def pieces(content: bytes, size: int = 70_000) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_blob_in_one_request(registry: RegistryClient, count: int) -> None:
    content, peer = b"x" * count, Registry()
    with Server(plain(handling(peer))) as server:
        repository, digest = reference(server).repository, Digest.of(content)
        registry.put_blob(repository, digest, count, pieces(content))
    assert peer.blobs == {str(digest): content}
    assert [asked.method for asked in server.asked] == ["POST", "PUT"]
    assert server.asked[1].target.endswith(f"?s=1&digest=sha256%3A{digest.hex}")
    assert server.asked[1].header("content-length") == str(count)


@pytest.mark.parametrize("count", [1001, 1200, 5000])
@pytest.mark.parametrize("piece", [1, 399, 400, 401, 9999])
def test_a_blob_in_chunks(registry: RegistryClient, count: int, piece: int) -> None:
    content = bytes(i % 251 for i in range(count))
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        repository, digest = reference(server).repository, Digest.of(content)
        registry.put_blob(repository, digest, count, pieces(content, piece))
    assert peer.blobs == {str(digest): content}
    ranges = [asked.header("content-range") for asked in server.asked if asked.method == "PATCH"]
    assert ranges == [f"{at}-{min(at + 400, count) - 1}" for at in range(0, count, 400)]
    assert server.asked[-1].body == b""


def test_chunks_are_as_long_as_the_registry_wants(registry: RegistryClient) -> None:
    content, peer = b"x" * 2000, Registry()
    peer.least = "900"
    with Server(plain(handling(peer))) as server:
        repository, digest = reference(server).repository, Digest.of(content)
        registry.put_blob(repository, digest, 2000, pieces(content))
    assert peer.blobs == {str(digest): content}
    assert [len(a.body) for a in server.asked if a.method == "PATCH"] == [900, 900, 200]


def lost(peer: Registry, kept: int, status: int = 503) -> Callable[[Asked], bytes]:
    """A chunk of which only some bytes arrive."""

    def fault(asked: Asked) -> bytes:
        name = asked.path.rpartition("/")[2]
        peer.uploads[name] += asked.body[:kept]
        return answer(status, b"", peer.state(name))

    return fault


@pytest.mark.parametrize("kept", [0, 1 + 1, 399, 400])
@pytest.mark.parametrize("status", [416, 500, 503])
def test_a_chunk_that_is_lost_is_sent_again_from_where_it_broke(
    registry: RegistryClient, kept: int, status: int
) -> None:
    content = bytes(i % 251 for i in range(1500))
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        passes = peer.faults["PATCH"] = []
        passes += [lost(peer, 400, 202), lost(peer, kept, status)]
        repository, digest = reference(server).repository, Digest.of(content)
        registry.put_blob(repository, digest, 1500, pieces(content))
    assert peer.blobs == {str(digest): content}


def test_chunks_are_not_sent_for_ever(registry: RegistryClient) -> None:
    content, peer = b"x" * 1500, Registry()
    with Server(plain(handling(peer))) as server:
        peer.faults["PATCH"] = [lost(peer, 0)] * 100
        repository, digest = reference(server).repository, Digest.of(content)
        with pytest.raises(UnavailableError):
            registry.put_blob(repository, digest, 1500, pieces(content))
    assert sum(a.method == "PATCH" for a in server.asked) == 1 + limits.UPLOAD_RESUMES
    assert peer.uploads == {}  # cancelled


def test_an_upload_that_the_registry_forgot(registry: RegistryClient) -> None:
    content, peer = b"x" * 1500, Registry()

    def forgetful(asked: Asked) -> bytes:
        peer.uploads[asked.path.rpartition("/")[2]] = b""
        return answer(503)

    with Server(plain(handling(peer))) as server:
        peer.faults["PATCH"] = [lost(peer, 400, 202), forgetful]
        repository, digest = reference(server).repository, Digest.of(content)
        with pytest.raises(UnavailableError, match="lost what it had received"):
            registry.put_blob(repository, digest, 1500, pieces(content))


def test_a_registry_that_takes_no_chunks(registry: RegistryClient) -> None:
    content = bytes(i % 251 for i in range(1500))
    peer = Registry(chunks=False)
    with Server(plain(handling(peer))) as server:
        repository, digest = reference(server).repository, Digest.of(content)
        registry.put_blob(repository, digest, 1500, pieces(content))
    assert peer.blobs == {str(digest): content}


@pytest.mark.parametrize("count", [10, 1500])
@pytest.mark.parametrize(("more", "size"), [(0, 0), (1, 0), (0, 1)])
def test_content_that_is_another_is_not_pushed(
    registry: RegistryClient, count: int, more: int, size: int
) -> None:
    content, peer = b"x" * (count + more), Registry()
    with Server(plain(handling(peer))) as server:
        digest = Digest.of(b"other") if not more and not size else Digest.of(b"x" * count)
        with pytest.raises(EvidenceError) as caught:
            registry.put_blob(reference(server).repository, digest, count + size, pieces(content))
    assert caught.value.code == Code.CHECKSUM
    assert peer.blobs == {}


def test_an_upload_elsewhere_sees_no_login(http: HttpClient) -> None:
    def store(asked: Asked) -> bytes:
        return answer(201)

    with Server(handling(store)) as elsewhere:

        def handle(asked: Asked) -> bytes:
            if not asked.header("authorization"):
                return answer(401, b"", [("WWW-Authenticate", "Basic")])
            return answer(202, b"", [("Location", f"{elsewhere.url}/up?sig=s")])

        with Server(plain(handling(handle))) as server:
            logins = {server.address: Login(username="a", password="secret")}
            registry = made(http, logins=logins)
            registry.put_blob(reference(server).repository, Digest.of(b"x"), 1, iter((b"x",)))
    (asked,) = elsewhere.asked
    assert asked.body == b"x"
    assert asked.header("authorization") == ""


@pytest.mark.parametrize("location", ["http://192.0.2.1/up", "ftp://x/", "https://u:p@x/", "/a b"])
def test_an_upload_to_a_bad_place(registry: RegistryClient, location: str) -> None:
    with (
        Server(plain(always(answer(202, b"", [("Location", location)])))) as server,
        pytest.raises(UnavailableError),
    ):
        registry.put_blob(reference(server).repository, Digest.of(b"x"), 1, iter((b"x",)))
    assert all(asked.body == b"" for asked in server.asked)


@pytest.mark.parametrize("asking", ["has_blob", "blob", "open_blob"])
def test_a_blob_that_another_is_writing_is_asked_for_again(
    registry: RegistryClient, asking: str
) -> None:
    """docker-registry answers 500 to who reads a blob's link while somebody pushes the same blob."""
    content = b"{}"
    digest = Digest.of(content)
    with Server(plain(always(answer(500), answer(200, content)))) as server:
        repository = reference(server).repository
        if asking == "has_blob":
            assert registry.has_blob(repository, digest)
        elif asking == "blob":
            assert registry.blob(repository, digest, len(content)) == content
        else:
            assert b"".join(registry.open_blob(repository, digest, len(content))) == content
    assert len(server.asked) == 2


@pytest.mark.parametrize("asking", ["resolve", "manifest", "tagged"])
def test_a_manifest_that_another_is_writing_is_asked_for_again(
    registry: RegistryClient, asking: str
) -> None:
    found = answer(200, MANIFEST, [("Content-Type", oci.OCI_MANIFEST)])
    with Server(plain(always(answer(500), found))) as server:
        wanted = reference(server)
        if asking == "resolve":
            assert registry.resolve(wanted).digest == DIGEST
        elif asking == "manifest":
            assert registry.manifest(wanted.repository, DIGEST)[0] == MANIFEST
        else:
            assert registry.tagged(wanted.repository, "v1")[0] == MANIFEST
    assert server.asked[0].target == server.asked[1].target


def test_has_blob(registry: RegistryClient) -> None:
    peer = Registry()
    peer.blobs[str(DIGEST)] = MANIFEST
    with Server(plain(handling(peer))) as server:
        repository = reference(server).repository
        assert registry.has_blob(repository, DIGEST)
        assert not registry.has_blob(repository, OTHER)


@pytest.mark.parametrize(("status", "mounted"), [(201, True), (202, False)])
def test_mount(registry: RegistryClient, status: int, mounted: bool) -> None:
    raw = answer(status, b"", [("Location", "/v2/team/app/blobs/uploads/1")])
    with Server(plain(always(raw, answer(204, length=False)))) as server:
        source = reference(server, "other/app").repository
        assert registry.mount_blob(reference(server).repository, DIGEST, source) is mounted
    assert server.asked[0].target == (f"/v2/team/app/blobs/uploads/?mount={DIGEST}&from=other/app")
    assert [asked.method for asked in server.asked] == ["POST", *([] if mounted else ["DELETE"])]


def test_no_mount_from_another_registry(registry: RegistryClient) -> None:
    with Server(plain(always(answer(500)))) as server:
        source = Repository(registry="other.test", path="x")
        assert registry.mount_blob(reference(server).repository, DIGEST, source) is False
    assert server.asked == []


@pytest.mark.parametrize("name", ["v1", str(DIGEST)])
def test_put_manifest(registry: RegistryClient, name: str) -> None:
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        repository = reference(server).repository
        assert registry.put_manifest(repository, name, oci.OCI_MANIFEST, MANIFEST) == DIGEST
    assert peer.manifests[name] == MANIFEST
    (asked,) = server.asked
    assert asked.header("content-type") == oci.OCI_MANIFEST


def test_a_registry_that_stores_something_else(registry: RegistryClient) -> None:
    raw = answer(201, b"", [("Docker-Content-Digest", str(OTHER))])
    with (
        Server(plain(always(raw))) as server,
        pytest.raises(MalformedError) as caught,
    ):
        registry.put_manifest(reference(server).repository, "v1", oci.OCI_MANIFEST, MANIFEST)
    assert caught.value.code == Code.CHECKSUM


def test_what_is_no_manifest_is_not_pushed(registry: RegistryClient) -> None:
    with (
        Server(plain(always(answer(201)))) as server,
        pytest.raises(MalformedError),
    ):
        registry.put_manifest(reference(server).repository, "v1", oci.OCI_INDEX, MANIFEST)
    assert server.asked == []


def referring(text: str) -> bytes:
    subject = {"mediaType": oci.OCI_MANIFEST, "digest": str(DIGEST), "size": len(MANIFEST)}
    more = {"subject": subject, "artifactType": "x/y", "annotations": {"n": text}}
    return json.dumps(json.loads(MANIFEST) | more).encode()


TAG = f"sha256-{DIGEST.hex}"


def test_a_referrer_is_listed_on_the_tag(registry: RegistryClient) -> None:
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        repository = reference(server).repository
        for text in ("1", "2", "1"):
            content = referring(text)
            name = str(Digest.of(content))
            registry.put_manifest(repository, name, oci.OCI_MANIFEST, content)
        found = registry.referrers(repository, DIGEST)
    assert {each.annotations["n"] for each in found} == {"1", "2"}
    assert {each.artifact_type for each in found} == {"x/y"}
    assert len(found) == 2


def test_a_referrer_is_left_to_a_registry_that_lists_it(registry: RegistryClient) -> None:
    peer = Registry(api=True)
    with Server(plain(handling(peer))) as server:
        content = referring("1")
        name = str(Digest.of(content))
        registry.put_manifest(reference(server).repository, name, oci.OCI_MANIFEST, content)
    assert TAG not in peer.manifests
    assert len(server.asked) == 1


def test_a_referrer_that_another_writer_overwrites(registry: RegistryClient) -> None:
    peer = Registry()

    def pretend(asked: Asked) -> bytes:
        """Another writer's index comes in just after ours."""
        if not asked.path.endswith(TAG):
            return peer(asked)
        peer.manifests[TAG] = oci.encode_index(ENTRIES)
        return answer(201)

    with Server(plain(handling(peer))) as server:
        peer.faults["PUT"] = [peer.put, peer.put, pretend]
        content = referring("1")
        name = str(Digest.of(content))
        registry.put_manifest(reference(server).repository, name, oci.OCI_MANIFEST, content)
        found = registry.referrers(reference(server).repository, DIGEST)
    assert len(found) == 3


OWN = f"{TAG}.cm-"


def with_etags(peer: Registry) -> Callable[[Asked], bytes]:
    """A registry that gives ETags, and replaces only what a client believes is there."""

    def handle(asked: Asked) -> bytes:
        name = asked.path.rpartition("/")[2]
        there = peer.manifests.get(name)
        etag = f'"{Digest.of(there)}"' if there is not None else ""
        demanded = asked.header("if-match")
        if asked.method == "PUT" and demanded not in ("", etag):
            return answer(412, refusal("MANIFEST_INVALID", "changed"))
        raw = peer(asked)
        if asked.method == "GET" and there is not None and "/manifests/" in asked.path:
            head, _, body = raw.partition(b"\r\n\r\n")
            raw = b"%b\r\nETag: %b\r\n\r\n%b" % (head, etag.encode(), body)
        return raw

    return handle


def test_an_index_that_changed_meanwhile_is_not_replaced(registry: RegistryClient) -> None:
    """Another program's entry, which has no tag of its own, came in between our reading and our writing."""
    peer = Registry()
    peer.manifests[TAG] = oci.encode_index(ENTRIES[:1])
    handle = with_etags(peer)

    def script(asked: Asked) -> bytes:
        if asked.method == "PUT" and asked.path.endswith(TAG) and len(server.asked) < 9:
            peer.manifests[TAG] = oci.encode_index(ENTRIES)
        return handle(asked)

    with Server(plain(handling(script))) as server:
        content = referring("1")
        name = str(Digest.of(content))
        registry.put_manifest(reference(server).repository, name, oci.OCI_MANIFEST, content)
        found = registry.referrers(reference(server).repository, DIGEST)
    assert len(found) == 3
    assert [asked.header("if-match") != "" for asked in server.asked if asked.method == "PUT"] == [
        False, False, True, True,
    ]  # fmt: skip


def test_a_tag_is_replaced_where_it_means_what_it_did(registry: RegistryClient) -> None:
    peer = Registry()
    peer.manifests["v1"] = MANIFEST
    with Server(plain(handling(with_etags(peer)))) as server:
        repository = reference(server).repository

        def replace(content: bytes, before: Digest | None) -> bool:
            return registry.replace_tag(repository, "v1", oci.OCI_MANIFEST, content, before)

        assert replace(referring("0"), OTHER)  # nothing is known of this registry's ETags yet
        registry.tagged(repository, "v1")
        assert not replace(MANIFEST, DIGEST)
        assert replace(MANIFEST, Digest.of(referring("0")))
    assert peer.manifests["v1"] == MANIFEST


def test_each_referrer_has_a_tag_of_its_own(registry: RegistryClient) -> None:
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        repository = reference(server).repository
        names = [str(Digest.of(referring(text))) for text in "12"]
        for name, text in zip(names, "12", strict=True):
            registry.put_manifest(repository, name, oci.OCI_MANIFEST, referring(text))
        own = registry.tags_beginning(repository, OWN)
        assert own == tuple(sorted(OWN + name[7:23] for name in names))
        # another program writes an index that has neither
        peer.manifests[TAG] = oci.encode_index(ENTRIES)
        assert registry.repair_referrers(repository, DIGEST) == 2
        assert registry.repair_referrers(repository, DIGEST) == 0
        found = registry.referrers(repository, DIGEST)
    assert {str(each.digest) for each in found} >= {*names}
    assert {each.annotations.get("n") for each in found} >= {"1", "2"}
    assert len(found) == 4


def test_a_tag_of_its_own_that_is_about_something_else_is_left_alone(
    registry: RegistryClient,
) -> None:
    peer = Registry()
    other = referring("1").replace(DIGEST.hex.encode(), OTHER.hex.encode())
    peer.manifests |= {f"{OWN}1": other, f"{OWN}2": MANIFEST, f"{OWN}3": b""}
    with Server(plain(handling(peer))) as server:
        assert registry.repair_referrers(reference(server).repository, DIGEST) == 0
    assert TAG not in peer.manifests


def test_nothing_is_repaired_where_the_registry_lists_referrers(registry: RegistryClient) -> None:
    with Server(plain(handling(Registry(api=True)))) as server:
        assert registry.repair_referrers(reference(server).repository, DIGEST) == 0


def test_eight_referrers_at_once_are_eight_afterwards(registry: RegistryClient) -> None:
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        repository = reference(server).repository

        def attach(text: str) -> None:
            content = referring(text)
            name = str(Digest.of(content))
            registry.put_manifest(repository, name, oci.OCI_MANIFEST, content)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(attach, "abcdefgh"))
        found = registry.referrers(repository, DIGEST)
    assert sorted(each.annotations["n"] for each in found) == list("abcdefgh")


def test_a_tag_that_never_keeps_what_it_is_given(registry: RegistryClient) -> None:
    peer = Registry()
    with Server(plain(handling(peer))) as server:
        peer.faults["PUT"] = [lambda asked: answer(201)] * 100
        content = referring("1")
        name = str(Digest.of(content))
        with pytest.raises(UnavailableError, match="keep overwriting the referrers"):
            registry.put_manifest(reference(server).repository, name, oci.OCI_MANIFEST, content)


def test_delete(registry: RegistryClient) -> None:
    peer = Registry()
    peer.manifests[str(DIGEST)] = MANIFEST
    with Server(plain(handling(peer))) as server:
        repository = reference(server).repository
        registry.delete_manifest(repository, str(DIGEST))
        with pytest.raises(NotFoundError):
            registry.delete_manifest(repository, str(DIGEST))
    assert peer.manifests == {}


def test_names_cannot_leave_their_repository() -> None:
    with pytest.raises(InputError):
        Repository(registry="a.test", path="../x")
