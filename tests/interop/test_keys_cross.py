"""Private keys go both ways between docker, notary and ours: the same files, the same passphrases, the same words."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from interop.conftest import MakePerson
from interop.peers import NotaryServer
from interop.people import Person
from interop.reading import pushed_digest, signed_tags

Build = Callable[[str, str], str]
WRONG = "not the passphrase"


def lend(owner: Person, borrower: Person) -> None:
    """Copy the private keys as people do: as files."""
    (borrower.trust / "private").mkdir(parents=True, mode=0o700, exist_ok=True)
    for path in (owner.trust / "private").glob("*.key"):
        shutil.copy2(path, borrower.trust / "private" / path.name)


def signers_of(person: Person, image: str) -> tuple[tuple[str, ...], ...]:
    """As docker sees them: the signers of each signed tag."""
    return tuple(
        signers for _, signers in signed_tags(person.docker("trust", "inspect", image)).values()
    )


def test_docker_makes_ours_signs(
    docker_cli: Path, notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    """Docker's root, repository and signer keys open with their passphrases in ours, and with no other."""
    owner, heir = person("owner", notary, docker_cli), person("heir", notary)
    consumer = person("consumer", notary, docker_cli)
    image = build(f"{repository}:v1", "docker's keys")
    owner.docker("push", image).ok()
    owner.docker("trust", "key", "generate", "alice").ok()
    lend(owner, heir)
    heir.countermark(
        "trust", "signer", "add", "--key", owner.home / "alice.pub", "alice", repository,
        DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=WRONG,
    ).refused()  # fmt: skip
    heir.countermark(
        "trust", "signer", "add", "--key", owner.home / "alice.pub", "alice", repository
    ).ok()
    refused = heir.countermark(
        "trust", "sign", image, DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=WRONG
    )
    assert refused.exit == 1, refused.text
    heir.countermark("trust", "sign", image).ok()
    heir.countermark("trust", "rotate", "-y", repository, "root").ok()  # with docker's root key
    assert signers_of(consumer, image) == (("alice",),)
    consumer.docker("pull", image).ok()


def test_ours_makes_docker_signs(
    docker_cli: Path, notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    owner, heir = person("owner", notary), person("heir", notary, docker_cli)
    consumer = person("consumer", notary, docker_cli)
    image = build(f"{repository}:v1", "our keys")
    heir.docker("push", image, trust=False).ok()
    owner.countermark("trust", "key", "generate", "alice").ok()
    assert stat.S_IMODE((owner.home / "alice.pub").stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in (owner.trust / "private").glob("*.key")} == {
        0o600
    }
    owner.countermark("trust", "signer", "add", "--key", "alice.pub", "alice", repository).ok()
    lend(owner, heir)
    heir.docker("trust", "sign", image, DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=WRONG).refused()
    heir.docker("trust", "sign", image).ok()
    heir.docker("trust", "key", "generate", "bob").ok()
    heir.docker(
        "trust", "signer", "add", "--key", heir.home / "bob.pub", "bob", repository
    ).ok()  # our targets key
    heir.notary("key", "rotate", repository, "root", stdin="yes\n").ok()  # our root key
    heir.docker("trust", "sign", image).ok()
    assert signers_of(consumer, image) == (("alice", "bob"),)
    # a new repository with the same root key: nobody makes a second one
    second = build(f"{repository}-second:v1", "the same root")
    before = heir.key_files()
    heir.docker("push", second).ok()
    assert len(heir.key_files() - before) == 1


def test_notary_lists_and_exports_our_keys(
    notary: NotaryServer, repository: str, person: MakePerson
) -> None:
    owner, heir = person("owner", notary), person("heir", notary)
    owner.countermark("trust", "key", "generate", "alice").ok()
    (file,) = owner.key_files()
    key_id = file.removesuffix(".key")
    listed = owner.notary("key", "list").ok().out
    assert key_id in listed
    assert "alice" in listed
    ours = owner.countermark("trust", "key", "list").ok().out
    assert key_id in ours or key_id[:12] in ours

    owner.notary("key", "export", "-o", owner.home / "exported.pem").ok()
    heir.notary("key", "import", owner.home / "exported.pem").ok()
    assert heir.key_files() == {file}
    (heir.trust / "private" / file).unlink()
    exported = owner.home / "exported.pem"
    exported.chmod(0o600)
    heir.countermark("trust", "key", "load", exported).ok()
    assert heir.key_files() == {file}


def private_key(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


FORMS = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_keys_made_by_openssl(
    kind: str, form: str, notary: NotaryServer, repository: str, person: MakePerson, build: Build
) -> None:
    """What docker loads, ours loads under the same ID; what one loaded, the other signs with."""
    key = private_key(kind)
    people = {name: person(name, notary) for name in ("docker", "ours")}
    for name, someone in people.items():
        file = someone.home / "openssl.pem"
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, FORMS[form], serialization.NoEncryption())
        )
        file.chmod(0o600)
        tool = someone.docker if name == "docker" else someone.countermark
        loaded = tool("trust", "key", "load", "openssl.pem", "--name", "carol").ok()
        assert (
            loaded.out
            == 'Loading key from "openssl.pem"...\nSuccessfully imported key from openssl.pem\n'
        )
    assert people["docker"].key_files() == people["ours"].key_files()

    public = people["ours"].home / "carol.pub"
    public.write_bytes(public_pem(key))
    owner, image = person("owner", notary), build(f"{repository}:v1", kind)
    digest = pushed_digest(owner.docker("push", image, trust=False).ok())
    owner.countermark("trust", "signer", "add", "--key", public, "carol", repository).ok()
    # each signs with the file that the other wrote
    theirs, own = people["docker"].trust / "private", people["ours"].trust / "private"
    theirs.rename(theirs.parent / "kept")
    own.rename(theirs)
    (theirs.parent / "kept").rename(own)
    people["docker"].docker("trust", "sign", image).ok()
    people["ours"].countermark("trust", "sign", image).ok()
    assert signed_tags(owner.docker("trust", "inspect", image)) == {"v1": (digest, ("carol",))}


def test_what_docker_refuses_to_load(
    newer_docker: Path, notary: NotaryServer, person: MakePerson
) -> None:
    """The same refusals, in the same words."""
    someone = person("someone", notary, newer_docker)
    key = private_key("p256")
    plain = key.private_bytes(
        serialization.Encoding.PEM, FORMS["pkcs8"], serialization.NoEncryption()
    )
    public = public_pem(key)
    files = {
        "open.pem": plain,
        "public.pem": public,
        "junk.pem": b"nothing of the kind\n",
        "empty.pem": b"",
    }
    for name, content in files.items():
        (someone.home / name).write_bytes(content)
        (someone.home / name).chmod(0o644 if name == "open.pem" else 0o600)
    for name in (*files, "missing.pem"):
        theirs = someone.docker("trust", "key", "load", name).refused()
        ours = someone.countermark("trust", "key", "load", name)
        assert ours[1:] == theirs[1:]
    assert someone.key_files() == set()


def test_encrypted_keys_are_loaded_for_real(
    notary: NotaryServer, repository: str, person: MakePerson
) -> None:
    """Docker says success and stores nothing; ours stores it, encrypted again with docker's own form."""
    maker, someone = person("maker", notary), person("someone", notary)
    maker.docker("trust", "key", "generate", "dave").ok()
    (file,) = (maker.trust / "private").glob("*.key")
    copy = someone.home / "dave.pem"
    shutil.copy(file, copy)
    copy.chmod(0o600)
    someone.countermark("trust", "key", "load", copy).ok()
    assert someone.key_files() == {file.name}
    maker.docker(
        "trust", "signer", "add", "--key", maker.home / "dave.pub", "dave", repository
    ).ok()
    shutil.rmtree(maker.trust / "private")
    lend(someone, maker)
    assert "dave" in maker.notary("key", "list").ok().out
