"""What --key means, and cosign's words for what it does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import world
from countermark.adapters.http_client import HttpClient
from countermark.adapters.key_references import KeyReferences, Secrets
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    MalformedError,
    StorageError,
    UnavailableError,
)
from countermark.proofs import cosign_keys, public_keys, signatures, signing_keys
from servers import Server, always, answer

KEY = signing_keys.generate()
PUBLIC, PRIVATE = public_keys.encode(KEY.public), cosign_keys.encode(KEY, b"secret")


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


class Asker:
    """A person who knows a password, and counts how often it is asked for."""

    def __init__(self, password: bytes = b"secret") -> None:
        self.password, self.times = password, 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.password


def references(
    client: HttpClient, environment: dict[str, str] | None = None, asker: Asker | None = None
) -> KeyReferences:
    secrets = Secrets(asker or Asker())
    return KeyReferences(client, environment or {}, "/nonexistent", secrets, lambda: world.NOW)


def test_files(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_bytes(PUBLIC)
    (tmp_path / "cosign.key").write_bytes(PRIVATE)
    asker = Asker()
    found = references(client, asker=asker)
    assert found.public_key(str(tmp_path / "cosign.pub")) == KEY.public
    assert asker.times == 0
    key = found.signing_key(str(tmp_path / "cosign.key"))
    assert signatures.verify(KEY.public, b"m", key.sign(b"m"))
    assert asker.times == 1


def test_variables(client: HttpClient) -> None:
    environment = {"KEY": PRIVATE.decode(), "PUB": PUBLIC.decode(), "EMPTY": ""}
    found = references(client, environment)
    assert found.public_key("env://PUB") == KEY.public
    assert found.signing_key("env://KEY").public_der == KEY.public.der
    with pytest.raises(MalformedError, match="pem to public key: PEM decoding failed"):
        found.public_key("env://EMPTY")


def test_a_url(client: HttpClient) -> None:
    with Server(always(answer(200, PUBLIC))) as server:
        assert references(client).public_key(f"{server.url}/cosign.pub") == KEY.public
        with pytest.raises(InputError, match="not fetched over the network"):
            references(client).signing_key(f"{server.url}/cosign.key")
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, InputError),
        (403, InputError),
        (302, InputError),
        (500, UnavailableError),
        (429, UnavailableError),
    ],
)
def test_a_url_that_has_none(client: HttpClient, status: int, kind: type[CountermarkError]) -> None:
    slow = (("Retry-After", "1000"),)
    with Server(always(answer(status, headers=slow))) as server, pytest.raises(kind) as caught:
        references(client).public_key(f"{server.url}/cosign.pub?secret=1")
    assert f"/cosign.pub: server returned HTTP {status}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_url_without_tls(client: HttpClient) -> None:
    with pytest.raises(InputError) as caught:
        references(client).public_key("http://example.com/cosign.pub")
    assert caught.value.code == Code.INSECURE


@pytest.mark.parametrize("verb", ["public_key", "signing_key"])
@pytest.mark.parametrize(
    ("reference", "words", "code"),
    [
        ("nofile.key", "open nofile.key: no such file or directory", Code.NOT_FOUND),
        ("env://ABSENT", "loading URL: env var $ABSENT not found", Code.NOT_FOUND),
        ("foo://x", "loading URL: unrecognized scheme: foo://", Code.BAD_INPUT),
        ("k8s://a", "kubernetes specification should be in the format k8s://<namespace>/<secret>", Code.BAD_INPUT),
        ("hashivault://", "kms specification should be in the format hashivault://<key>", Code.BAD_INPUT),
        ("awskms://x", "kms specification should be in the format awskms://", Code.BAD_INPUT),
        ("gcpkms://x", "kms specification should be in the format gcpkms://", Code.BAD_INPUT),
        ("azurekms://x", "kms specification should be in the format azurekms://", Code.BAD_INPUT),
        ("foo://\udcff", "not a key reference: 'foo://\\udcff'", Code.BAD_INPUT),
        ("gcpkms://a\nb", "not a key reference", Code.BAD_INPUT),
        ("pkcs11:object=x", "invalid uri: one of token and slot-id must be set", Code.BAD_INPUT),
    ],
)  # fmt: skip
def test_references_that_lead_nowhere(
    client: HttpClient, verb: str, reference: str, words: str, code: Code
) -> None:
    asker = Asker()
    with pytest.raises(InputError) as caught:
        getattr(references(client, asker=asker), verb)(reference)
    assert str(caught.value).startswith(words)
    assert caught.value.code == code
    assert asker.times == 0


def test_what_does_not_sign_asks_for_no_password(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_bytes(PUBLIC)
    asker = Asker()
    with pytest.raises(KeyAccessError, match="unsupported pem type: PUBLIC KEY"):
        references(client, asker=asker).signing_key(str(tmp_path / "cosign.pub"))
    assert asker.times == 0


def test_a_wrong_password(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "cosign.key").write_bytes(PRIVATE)
    with pytest.raises(KeyAccessError) as caught:
        references(client, asker=Asker(b"x")).signing_key(str(tmp_path / "cosign.key"))
    assert caught.value.code == Code.PASSPHRASE


def test_a_private_key_does_not_verify(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "cosign.key").write_bytes(PRIVATE)
    with pytest.raises(MalformedError) as caught:
        references(client).public_key(str(tmp_path / "cosign.key"))
    assert str(caught.value) == (
        "pem to public key: unknown Public key PEM file type: ENCRYPTED SIGSTORE PRIVATE KEY. "
        "Are you passing the correct public key?"
    )


def test_a_file_that_is_too_large(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(MalformedError) as caught:
        references(client).public_key(str(tmp_path / "big"))
    assert caught.value.code == Code.TOO_LARGE
    with pytest.raises(KeyAccessError) as refused:
        references(client).signing_key(str(tmp_path / "big"))
    assert refused.value.code == Code.TOO_LARGE


def test_a_pipe(client: HttpClient) -> None:
    """As a shell hands over ``--key <(command)``."""
    reading, writing = os.pipe()
    os.write(writing, PUBLIC)
    os.close(writing)
    try:
        assert references(client).public_key(f"/dev/fd/{reading}") == KEY.public
    finally:
        os.close(reading)


def test_a_folder(client: HttpClient, tmp_path: Path) -> None:
    for ask in (references(client).public_key, references(client).signing_key):
        with pytest.raises(StorageError, match="is a directory"):
            ask(str(tmp_path))


def test_a_program_is_found_on_the_path(client: HttpClient, tmp_path: Path) -> None:
    file = tmp_path / "sigstore-kms-foo"
    file.write_text('#!/bin/sh\necho \'{"errorMessage": "no"}\'\n')
    file.chmod(0o755)
    found = references(client, {"PATH": str(tmp_path)})
    for ask in (found.public_key, found.signing_key):
        with pytest.raises(KeyAccessError, match="plugin returned error: no"):
            ask("foo://x")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("foo", "could not parse scheme, use <scheme>://<ref> format"),
        ("pkcs11:token=t", "could not parse scheme, use <scheme>://<ref> format"),
        (
            "foo://x",
            'no kms provider found for key reference: foo://x: exec: "sigstore-kms-foo": '
            "executable file not found in $PATH",
        ),
        ("hashivault://", "kms specification should be in the format hashivault://<key>"),
    ],
)
def test_where_no_key_is_made(client: HttpClient, reference: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        references(client).create(reference)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("missing", "reference", "extra"),
    [
        ("boto3", "awskms:///alias/a", "aws"),
        ("pkcs11", "pkcs11:token=t;object=o?module-path=/x", "pkcs11"),
    ],
)
def test_libraries_that_are_extras(missing: str, reference: str, extra: str) -> None:
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}; sys.modules[{missing!r}] = None\n"
        "from countermark.adapters.http_client import HttpClient\n"
        "from countermark.adapters.key_references import KeyReferences, Secrets\n"
        "from countermark.core.errors import KeyAccessError\n"
        "found = KeyReferences(HttpClient(), {}, '/nonexistent', Secrets(bytes), None)\n"
        "for ask in (found.public_key, found.signing_key):\n"
        "    try:\n"
        f"        ask({reference!r})\n"
        "    except KeyAccessError as error:\n"
        "        print(error.code, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [f"not-supported install countermark[{extra}]"] * 2, (
        done.stderr
    )


def test_nobody_to_ask_for_a_pin() -> None:
    with pytest.raises(KeyAccessError, match="Enter PIN: nobody to ask") as caught:
        Secrets(bytes).pin("Enter PIN: ")
    assert "COSIGN_PKCS11_PIN" in caught.value.hint
    assert Secrets(bytes, lambda text: text[:5]).pin("Enter") == "Enter"
