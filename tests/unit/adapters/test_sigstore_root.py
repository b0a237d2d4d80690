"""Sigstore's trusted root from a mirror: fetched once a day, kept, and used while the mirror is away."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countermark.adapters import sigstore_root, storage, tuf_refresh
from countermark.adapters.http_client import HttpClient
from countermark.adapters.sigstore_root import PUBLIC_MIRROR, SigstoreRoot, TrustedRoots
from countermark.adapters.tuf_cache import TufCache, folder_name
from countermark.adapters.tuf_files import TufFolder
from countermark.core.errors import (
    Code,
    ConfigError,
    CountermarkError,
    EvidenceError,
    ExpiredError,
    InputError,
    MalformedError,
    NotFoundError,
    RollbackError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_hosting import Request, Response
from countermark.formats.signing_config import Service, SigningConfig
from countermark.formats.trusted_root import Authority, TrustedRoot
from countermark.formats.tuf_metadata import TargetFile
from countermark.services.trust_root import TrustRoot
from hosted_services import serving
from identity import MemoryServiceKeys
from servers import Server, closed_port

NOW = datetime.now(UTC)  # python-tuf looks at the clock itself
NAMES = ("trusted_root.json", "signing_config.v0.2.json")


def root(name: str) -> TrustedRoot:
    authority = Authority(
        organization=name,
        common_name="ca",
        uri="https://ca.example.test",
        certificates=(b"\x30\x00",),
        start=NOW.replace(microsecond=0),
    )
    return TrustedRoot(authorities=(authority,))


CONFIG = SigningConfig(authorities=(Service(url="https://ca.example.test", api_version=1),))


class Mirror:
    """A repository on loopback that can be bent, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.files = TufFolder(str(folder))
        self.repository = TrustRoot(self.files, MemoryServiceKeys(), lambda: self.now)
        self.bend: Callable[[str, Response], Response] = lambda path, response: response
        self.server, self.stopped = Server(serving(self)), False
        self.url = f"{self.server.url}/tuf"

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self.server.stop()

    def serves(self, path: str) -> bool:
        return self.repository.serves(path)

    def answer(self, request: Request) -> Response:
        return self.bend(request.path, self.repository.answer(request))

    def publish(self, trusted: TrustedRoot) -> None:
        contents = (trusted.encode(), CONFIG.encode())
        files = {name: TargetFile(content=c) for name, c in zip(NAMES, contents, strict=True)}
        self.repository.publish(files)

    @property
    def asked(self) -> list[str]:
        """Names of the files that were asked for since the last time."""
        found = [each.path.rpartition("/")[2] for each in self.server.asked]
        self.server.asked.clear()
        return found


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    made = Mirror(tmp_path / "repository")
    made.publish(root("first"))
    yield made
    made.stop()


class Home:
    """Somebody's folders, and the time they believe it is."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.cosigns = folder / "ours", folder / "sigstore"
        self.now = NOW
        self.warnings: list[str] = []
        self.client = HttpClient(pause=lambda seconds: None)

    def source(
        self, mirror: str = "", first: bytes = b"", *, offline: bool = False
    ) -> SigstoreRoot:
        return SigstoreRoot(
            self.client,
            lambda: self.now,
            [str(self.ours), str(self.cosigns)],
            self.warnings.append,
            mirror=mirror,
            root=first,
            offline=offline,
        )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    yield made
    made.client.close()


def known(source: SigstoreRoot) -> str:
    return source.trusted_root().authorities[0].organization


# Fetching -----------------------------------------------------------------------------------------------------


def test_fetched_once_a_day(mirror: Mirror, home: Home) -> None:
    first = mirror.repository.root()
    source = home.source(mirror.url, first)
    assert known(source) == "first"
    assert source.signing_config() == CONFIG
    assert {"timestamp.json", "2.root.json"} < set(mirror.asked)
    assert known(source) == known(home.source(mirror.url)) == "first"
    home.now += timedelta(hours=23)
    assert known(home.source(mirror.url)) == "first"
    assert mirror.asked == []
    mirror.publish(root("second"))
    home.now += timedelta(hours=2)
    assert known(home.source(mirror.url)) == "second"
    assert known(source) == "second"
    assert home.warnings == []


def test_kept_as_cosign_keeps_it(mirror: Mirror, home: Home) -> None:
    home.source(mirror.url, mirror.repository.root()).initialize()
    place = home.ours / folder_name(mirror.url)
    assert sorted(str(p.relative_to(home.ours)) for p in home.ours.rglob("*.json")) == sorted(
        [
            "remote.json",
            f"{place.name}.json",
            *(f"{place.name}/{role}.json" for role in ("root", "snapshot", "targets", "timestamp")),
            *(f"{place.name}/targets/{name}" for name in NAMES),
        ]
    )
    assert json.loads((home.ours / "remote.json").read_text()) == {"mirror": mirror.url}
    assert place.name == mirror.url.removeprefix("http://").replace(":", "-").replace("/", "-")


def test_initialized_mirror_is_used_from_then_on(mirror: Mirror, home: Home) -> None:
    assert home.source().mirror == PUBLIC_MIRROR
    home.source(mirror.url, mirror.repository.root()).initialize()
    assert home.source().mirror == mirror.url
    assert known(home.source()) == "first"


def test_what_cosign_fetched_counts(mirror: Mirror, home: Home) -> None:
    """Both the mirror that it was initialized with, and what it keeps of it."""
    home.ours, cosigns = home.cosigns, home.ours
    home.source(mirror.url, mirror.repository.root()).initialize()
    home.ours, home.cosigns = cosigns, home.ours
    mirror.server.asked.clear()
    assert known(home.source()) == "first"
    assert mirror.asked == []
    assert not home.ours.exists()
    home.now += timedelta(days=2)
    assert known(home.source()) == "first"
    assert "timestamp.json" in mirror.asked
    assert home.ours.exists()


def test_a_rotated_root_is_followed(mirror: Mirror, home: Home) -> None:
    known(home.source(mirror.url, mirror.repository.root()))
    for role in ("root", "timestamp", "targets"):
        mirror.repository.rotate(role)
    mirror.publish(root("second"))
    home.now += timedelta(days=2)
    assert known(home.source(mirror.url)) == "second"
    assert not mirror.asked.count("1.root.json")  # it goes on where it was


def test_the_public_root_comes_with_us(home: Home) -> None:
    """Nothing is asked for here: only which root would be believed first."""
    place = Path(sigstore_root.__file__).with_name("sigstore_public_root.json")
    assert home.source()._first_root() == place.read_bytes()


def test_no_root_to_begin_with(mirror: Mirror, home: Home) -> None:
    with pytest.raises(ConfigError):
        home.source(mirror.url).trusted_root()
    assert mirror.asked == []


def test_file_that_the_mirror_lacks(mirror: Mirror, home: Home) -> None:
    mirror.repository.publish({NAMES[0]: TargetFile(content=root("first").encode())})
    source = home.source(mirror.url, mirror.repository.root())
    assert known(source) == "first"
    with pytest.raises(NotFoundError):
        source.signing_config()


# Out of reach -------------------------------------------------------------------------------------------------


def away(mirror: Mirror) -> None:
    mirror.bend = lambda path, response: Response(status=503)


def forbidden(mirror: Mirror) -> None:
    """As a network's own page, or a content network with trouble."""
    mirror.bend = lambda path, response: Response(status=403, body=b"<html>")


def junk(mirror: Mirror) -> None:
    mirror.bend = lambda path, response: (
        response if "root" in path else Response(status=200, body=b"<html>")
    )


def stopped(mirror: Mirror) -> None:
    mirror.stop()


@pytest.mark.parametrize("trouble", [away, forbidden, junk, stopped])
def test_kept_while_it_holds(mirror: Mirror, home: Home, trouble: Callable[[Mirror], None]) -> None:
    first = mirror.repository.root()
    known(home.source(mirror.url, first))
    trouble(mirror)
    home.now += timedelta(days=2)
    assert known(home.source(mirror.url, first)) == "first"
    assert len(home.warnings) == 1
    assert "what was fetched before is used, until 20" in home.warnings[0]
    home.now += timedelta(days=10)  # the timestamp has expired
    with pytest.raises((UnavailableError, EvidenceError)) as caught:
        home.source(mirror.url, first).trusted_root()
    assert caught.value.hint == "give a trusted root as a file, or connect once"


def test_nothing_kept_and_nobody_there(mirror: Mirror, home: Home) -> None:
    nobody = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(UnavailableError) as caught:
        home.source(nobody, mirror.repository.root()).trusted_root()
    assert str(caught.value).startswith(nobody)


def test_offline_asks_nobody(mirror: Mirror, home: Home) -> None:
    first = mirror.repository.root()
    with pytest.raises(UnavailableError):
        home.source(mirror.url, first, offline=True).trusted_root()
    assert mirror.asked == []
    known(home.source(mirror.url, first))
    assert mirror.asked
    home.now += timedelta(days=5)
    assert known(home.source(mirror.url, offline=True)) == "first"
    assert (mirror.asked, home.warnings) == ([], [])
    home.now += timedelta(days=5)
    with pytest.raises(UnavailableError):
        home.source(mirror.url, offline=True).trusted_root()


def test_folder_that_cannot_be_written(mirror: Mirror, home: Home) -> None:
    """As a shared or read-only home: a file stands where the folder would be."""
    home.ours.parent.mkdir(parents=True, exist_ok=True)
    home.ours.write_bytes(b"")
    source = home.source(mirror.url, mirror.repository.root())
    assert known(source) == "first"
    (warning,) = home.warnings
    assert warning.startswith("Sigstore's trusted root is fetched each time: ")
    with pytest.raises(StorageError):
        source.initialize()


def test_folder_that_cannot_be_read(mirror: Mirror, home: Home) -> None:
    (home.cosigns / "remote.json").mkdir(parents=True)
    (home.cosigns / folder_name(mirror.url) / "root.json").mkdir(parents=True)
    cache = TufCache(str(home.cosigns))
    assert (cache.mirror(), cache.root(mirror.url), cache.read(mirror.url, NAMES)) == (
        "",
        b"",
        None,
    )
    assert known(home.source(mirror.url, mirror.repository.root())) == "first"


@pytest.mark.parametrize("content", [b"junk", b"[]", b'{"mirror":1}'])
def test_mirror_that_is_none(home: Home, content: bytes) -> None:
    home.ours.mkdir(parents=True)
    (home.ours / "remote.json").write_bytes(content)
    assert home.source().mirror == PUBLIC_MIRROR


def test_no_room_to_work_in(mirror: Mirror, home: Home) -> None:
    nowhere = {"no/such/folder": b""}
    with pytest.raises(UnavailableError):
        tuf_refresh.refresh(home.client, mirror.url, mirror.repository.root(), nowhere, NAMES, NOW)


# Attacks --------------------------------------------------------------------------------------------------------


def replaced(name: str, old: bytes, new: bytes) -> Callable[[str, Response], Response]:
    def bend(path: str, response: Response) -> Response:
        if path.endswith(name) and response.status == 200:
            assert isinstance(response.body, bytes)
            assert old in response.body
            return response.replace(body=response.body.replace(old, new))
        return response

    return bend


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("timestamp.json", b'"1.0.31"', b'"1.0.30"'),
        ("snapshot.json", b'"1.0.31"', b'"1.0.30"'),
        ("targets.json", b'"1.0.31"', b'"1.0.30"'),
        ("trusted_root.json", b"first", b"other"),
        ("trusted_root.json", b"first", b""),
    ],
)
def test_altered_files(mirror: Mirror, home: Home, name: str, old: bytes, new: bytes) -> None:
    mirror.bend = replaced(name, old, new)
    with pytest.raises((EvidenceError, UnavailableError)):
        home.source(mirror.url, mirror.repository.root()).trusted_root()
    assert not (home.ours / folder_name(mirror.url)).exists()


def test_another_repositorys_root(mirror: Mirror, home: Home, tmp_path: Path) -> None:
    other = Mirror(tmp_path / "other")
    other.publish(root("evil"))
    other.stop()
    with pytest.raises(EvidenceError):
        home.source(mirror.url, other.repository.root()).trusted_root()


def test_root_that_is_none(mirror: Mirror, home: Home) -> None:
    with pytest.raises(EvidenceError):
        home.source(mirror.url, b"junk").trusted_root()


def test_expired(mirror: Mirror, home: Home) -> None:
    mirror.now -= timedelta(days=20)
    mirror.publish(root("old"))
    mirror.repository.rotate("timestamp")
    with pytest.raises(ExpiredError):
        home.source(mirror.url, mirror.repository.root()).trusted_root()


def test_older_than_before(mirror: Mirror, home: Home) -> None:
    """A mirror that goes back in time: what was seen before still counts."""
    first = mirror.repository.root()
    old = mirror.files.read("timestamp.json")
    mirror.publish(root("second"))
    assert known(home.source(mirror.url, first)) == "second"
    mirror.bend = lambda path, response: (
        response.replace(body=old) if path.endswith("timestamp.json") else response
    )
    home.now += timedelta(days=2)
    assert known(home.source(mirror.url, first)) == "second"
    assert len(home.warnings) == 1
    before = TufCache(str(home.ours)).read(mirror.url, NAMES)
    assert before is not None
    with pytest.raises(RollbackError):
        tuf_refresh.refresh(home.client, mirror.url, first, before.metadata, NAMES, NOW)


def test_endless_answer(mirror: Mirror, home: Home) -> None:
    mirror.bend = lambda path, response: Response(status=200, body=bytes(6_000_000))
    with pytest.raises(CountermarkError) as caught:
        home.source(mirror.url, mirror.repository.root()).trusted_root()
    assert caught.value.code in (Code.TOO_LARGE, Code.UNAVAILABLE)


def test_plain_http_to_others(mirror: Mirror, home: Home) -> None:
    with pytest.raises(UnavailableError) as caught:
        home.source("http://tuf.example.test", mirror.repository.root()).trusted_root()
    assert "loopback" in str(caught.value)


# The cache -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("targets/trusted_root.json", b"{}"),
        ("targets/trusted_root.json", None),
        ("timestamp.json", b"junk"),
        ("timestamp.json", None),
        ("root.json", b"[]"),
        ("../{}.json", b"{}"),
        ("../{}.json", None),
        ("../{}.json", b'{"lastTimestamp":"2999-01-01T00:00:00Z"}'),
    ],
)
def test_spoilt_cache_is_fetched_anew(
    mirror: Mirror, home: Home, file: str, content: bytes | None
) -> None:
    first = mirror.repository.root()
    known(home.source(mirror.url, first))
    mirror.server.asked.clear()
    name = folder_name(mirror.url)
    path = home.ours / name / file.format(name)
    path.write_bytes(content) if content is not None else path.unlink()
    assert known(home.source(mirror.url, first)) == "first"
    assert "timestamp.json" in mirror.asked
    mirror.server.asked.clear()
    assert known(home.source(mirror.url, first)) == "first"
    assert mirror.asked == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://tuf-repo-cdn.sigstore.dev", "tuf-repo-cdn.sigstore.dev"),
        ("http://127.0.0.1:5798", "127.0.0.1-5798"),
        ("https://Example.com/Prod/TUF", "example.com-prod-tuf"),
        ("file:///../..", "-..-.."),
        ("", "-"),
    ],
)
def test_folder_names(url: str, name: str) -> None:
    """As sigstore-go names them, and never a folder above."""
    assert folder_name(url) == name


def test_long_names() -> None:
    assert len(folder_name("https://" + "a" * 5000)) == 200


# Choosing ----------------------------------------------------------------------------------------------------------


def test_a_file_is_all_that_is_asked(mirror: Mirror, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "trusted_root.json"
    path.write_bytes(root("file").encode())
    source = home.source(mirror.url, mirror.repository.root())
    roots = TrustedRoots(str(path), source, source)
    assert roots.trusted_root("").authorities[0].organization == "file"
    assert mirror.asked == []
    assert roots.trusted_root("public").authorities[0].organization == "first"


def test_no_file_is_configured(mirror: Mirror, home: Home) -> None:
    source = home.source(mirror.url, mirror.repository.root())
    nobody = home.source(f"http://127.0.0.1:{closed_port()}", b"{}")
    assert TrustedRoots("", source, nobody).trusted_root("").authorities[0].organization == "first"
    with pytest.raises(UnavailableError):
        TrustedRoots("", source, nobody).trusted_root("public")
    with pytest.raises(InputError):
        TrustedRoots("", source, nobody).trusted_root("other")


@pytest.mark.parametrize("content", [None, b"junk", bytes(6_000_000)])
def test_bad_files(home: Home, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "trusted_root.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        TrustedRoots(str(path), home.source(), home.source()).trusted_root("")
    assert str(path) in str(caught.value)


def test_a_lying_mirror_is_no_answer(mirror: Mirror, home: Home) -> None:
    """Whether a signature is good is not known then: it is not said to be bad."""
    mirror.bend = replaced("timestamp.json", b'"1.0.31"', b'"1.0.30"')
    source = home.source(mirror.url, mirror.repository.root())
    with pytest.raises(UnavailableError):
        TrustedRoots("", source, source).trusted_root("")


def test_locks_are_let_go(mirror: Mirror, home: Home) -> None:
    known(home.source(mirror.url, mirror.repository.root()))
    with storage.Lock(str(home.ours / ".countermark.lock"), seconds=0):
        pass


def test_malformed_trusted_root_of_a_mirror(mirror: Mirror, home: Home) -> None:
    mirror.repository.publish({NAMES[0]: TargetFile(content=b"{}")})
    with pytest.raises(MalformedError):
        home.source(mirror.url, mirror.repository.root()).trusted_root()
