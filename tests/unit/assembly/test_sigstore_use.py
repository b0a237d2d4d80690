"""``sigstore use``: which files of a user it writes, and what must be right before."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from countermark.adapters.tuf_files import TufFolder
from countermark.assembly.program import Program
from countermark.core.errors import Code, InputError, UnavailableError
from countermark.formats.signing_config import Service, SigningConfig
from countermark.formats.trusted_root import Authority, TrustedRoot
from countermark.formats.tuf_metadata import TargetFile
from countermark.services.trust_root import TrustRoot
from hosted_services import serving
from identity import MemoryServiceKeys
from servers import Authority as Certifier
from servers import Server, closed_port

NOW = datetime.now(UTC)  # python-tuf looks at the clock itself


class Sigstore:
    """A server's data folder, and as much of the server as hands out the trust root."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        (self.data / "tls").mkdir(parents=True)
        certifier = Certifier(self.data / "tls", "private")
        self.ca = self.data / "tls" / "ca.crt"
        certifier.file.rename(self.ca)
        repository = TrustRoot(
            TufFolder(str(self.data / "sigstore" / "tuf")), MemoryServiceKeys(), lambda: NOW
        )
        self.server = Server(serving(repository), tls=certifier.context("127.0.0.1"))
        authority = Authority(
            organization="private", common_name="ca", uri=self.server.url, certificates=(b"\x30\x00",),
            start=NOW.replace(microsecond=0),
        )  # fmt: skip
        config = SigningConfig(authorities=(Service(url=self.server.url, api_version=1),))
        files = {
            "trusted_root.json": TrustedRoot(authorities=(authority,)).encode(),
            "signing_config.v0.2.json": config.encode(),
        }
        repository.publish({name: TargetFile(content=c) for name, c in files.items()})
        (self.data / "sigstore" / "url").write_text(f"{self.server.url}\n")


@pytest.fixture
def sigstore(tmp_path: Path) -> Iterator[Sigstore]:
    made = Sigstore(tmp_path)
    try:
        yield made
    finally:
        made.server.stop()


class Person:
    """A user with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def program(self) -> Program:
        return Program({"HOME": str(self.home)})

    def use(self, sigstore: Sigstore, *, replace: bool = False) -> None:
        program = self.program
        used = program.hosting.use(str(sigstore.data), replace=replace)
        program.http.close()
        assert used.url == sigstore.server.url
        assert used.issuer == f"{used.url}/identity"
        assert used.root_folder == str(self.home / ".sigstore" / "root")
        assert used.ca_file == ("" if not sigstore.ca.exists() else str(self.ca(sigstore)))

    def ca(self, sigstore: Sigstore) -> Path:
        return self.home / ".docker" / "tls" / sigstore.server.address / "ca.crt"

    @property
    def files(self) -> list[Path]:
        return [path for path in self.home.rglob("*") if path.is_file()]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    home = tmp_path / "home"
    home.mkdir()
    return Person(home)


def test_it_is_what_everything_uses_from_then_on(sigstore: Sigstore, person: Person) -> None:
    person.use(sigstore)
    assert person.ca(sigstore).read_bytes() == sigstore.ca.read_bytes()
    program = person.program
    source = program.cosign.sigstore()
    assert source.mirror == f"{sigstore.server.url}/tuf"
    assert source.trusted_root().authorities[0].organization == "private"
    source.initialize()  # the server is believed through docker's folder
    program.http.close()
    person.use(sigstore)


def test_another_ca_stays_unless_told_otherwise(sigstore: Sigstore, person: Person) -> None:
    ca = person.ca(sigstore)
    ca.parent.mkdir(parents=True)
    ca.write_text("another")
    with pytest.raises(InputError, match="another CA is believed for 127") as caught:
        person.use(sigstore)
    assert caught.value.code == Code.KEY_EXISTS
    assert (person.files, ca.read_text()) == ([ca], "another")
    person.use(sigstore, replace=True)
    assert ca.read_bytes() == sigstore.ca.read_bytes()


def test_nothing_is_believed_of_a_server_that_does_not_answer(
    sigstore: Sigstore, person: Person
) -> None:
    (sigstore.data / "sigstore" / "url").write_text(f"https://127.0.0.1:{closed_port()}\n")
    with pytest.raises(UnavailableError, match="/tuf: "):
        person.use(sigstore)
    assert person.files == []


def test_nor_of_one_that_has_another_certificate(
    sigstore: Sigstore, person: Person, tmp_path: Path
) -> None:
    other = Certifier(tmp_path, "other")
    sigstore.ca.write_bytes(other.file.read_bytes())
    with pytest.raises(UnavailableError, match="certificate"):
        person.use(sigstore)
    assert person.files == []


def test_a_server_without_a_ca_of_its_own(sigstore: Sigstore, person: Person) -> None:
    kept = sigstore.ca.rename(sigstore.ca.with_suffix(".elsewhere"))
    program = Program({"HOME": str(person.home), "SSL_CERT_FILE": str(kept)})
    assert program.hosting.use(str(sigstore.data), replace=False).ca_file == ""
    program.http.close()
    assert not (person.home / ".docker").exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [("url", "there is no Sigstore in"), ("tuf/root.json", "has no trust root yet")],
)
def test_no_sigstore_there(sigstore: Sigstore, person: Person, missing: str, message: str) -> None:
    (sigstore.data / "sigstore" / missing).unlink()
    with pytest.raises(InputError, match=message) as caught:
        person.use(sigstore)
    assert "serve --sigstore" in caught.value.hint
    assert person.files == []
