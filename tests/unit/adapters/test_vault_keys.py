"""Keys in Vault, against a server of ours that speaks the transit engine's protocol."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.adapters.http_client import HttpClient
from countermark.adapters.vault_keys import VaultKeys
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    UnavailableError,
)
from countermark.proofs import public_keys, signatures, signing_keys
from servers import Asked, Server, answer, handling

TOKEN = "hvs.sesame"
HASHES = {"sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}


class Vault:
    """The transit engine: a key with three versions, the second of which may be the latest."""

    def __init__(self, algorithm: str = "ecdsa-p256") -> None:
        self.versions = {n: signing_keys.generate(algorithm) for n in (1, 2)}
        self.latest = 2
        self.prefix = ""  # what the signature begins with, where it lies
        self.signs_with = 0
        self.answers: dict[str, bytes] = {}
        self.tokens = [TOKEN]
        self.kinds: list[str] = []  # of keys that were made

    def handle(self, asked: Asked) -> bytes:
        if asked.path in self.answers:
            return self.answers[asked.path]
        if asked.header("x-vault-token") not in self.tokens:
            return answer(403, json.dumps({"errors": ["permission denied"]}).encode())
        if asked.method == "GET" and asked.path == "/v1/transit/keys/release":
            return self.listed()
        if asked.method == "POST" and asked.path == "/v1/transit/keys/release":
            self.kinds.append(json.loads(asked.body)["type"])
            return answer(204)
        if asked.method == "POST" and asked.path.startswith("/v1/transit/sign/release"):
            return self.signed(asked)
        return answer(404, b'{"errors":[]}')

    def listed(self) -> bytes:
        keys = {}
        for number, key in self.versions.items():
            text = public_keys.encode(key.public).decode()
            name = key.public.curve or key.public.kind
            if key.public.kind == "ed25519":
                text = b64encode(key.public.raw).decode()
            keys[str(number)] = {
                "creation_time": "2026-01-01T00:00:00Z",
                "name": name,
                "public_key": text,
            }
        data = {
            "type": "x",
            "keys": keys,
            "latest_version": self.latest,
            "min_decryption_version": 1,
        }
        return answer(
            200, json.dumps({"request_id": "1", "data": data, "lease_duration": 0}).encode()
        )

    def signed(self, asked: Asked) -> bytes:
        body = json.loads(asked.body)
        key = self.versions[self.signs_with or body["key_version"]]
        content = b64decode(body["input"])
        if body["prehashed"]:
            hash_name = HASHES[asked.path.rpartition("/")[2]]
            assert len(content) == signatures.HASH_BYTES[hash_name]
            assert body["signature_algorithm"] == "pkcs1v15"
            made = key.sign_digest(content)
        else:
            assert asked.path == "/v1/transit/sign/release"
            made = key.sign(content)
        prefix = self.prefix or f"vault:v{body['key_version']}:"
        signature = prefix + b64encode(made).decode()
        return answer(200, json.dumps({"data": {"signature": signature}}).encode())


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def server(vault: Vault) -> Iterator[Server]:
    with Server(handling(vault.handle)) as running:
        yield running


@pytest.fixture(autouse=True)
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    CLIENTS.append(made)
    yield made
    CLIENTS.remove(made)
    made.close()


CLIENTS: list[HttpClient] = []


def vault_keys(environment: dict[str, str], home: Path) -> VaultKeys:
    return VaultKeys(CLIENTS[-1], environment, str(home))


def keys(server: Server, tmp_path: Path, **environment: str) -> VaultKeys:
    given = {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN} | environment
    return vault_keys(given, tmp_path)


@pytest.mark.parametrize("scheme", ["hashivault", "openbao"])
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_vault_signs(tmp_path: Path, algorithm: str, scheme: str) -> None:
    vault = Vault(algorithm)
    with Server(handling(vault.handle)) as server:
        found = keys(server, tmp_path).signing_key(f"{scheme}://release")
        assert found.public == vault.versions[2].public
        assert found.public == keys(server, tmp_path).public_key(f"{scheme}://release")
        assert signatures.verify(found.public, b"message", found.sign(b"message"))
        digest = hashlib.new(signatures.hash_for(found.public), b"message").digest()
        made = found.sign_digest(digest)
        assert signatures.verify_digest(found.public, digest, made)


def test_ed25519_signs_whole_messages(tmp_path: Path) -> None:
    vault = Vault("ed25519")
    with Server(handling(vault.handle)) as server:
        found = keys(server, tmp_path).signing_key("hashivault://release")
        assert signatures.verify(found.public, b"message", found.sign(b"message"))
        with pytest.raises(KeyAccessError) as caught:
            found.sign_digest(bytes(64))
        assert caught.value.code == Code.NOT_SUPPORTED


def test_a_rotated_key_still_signs_with_the_version_that_was_looked_up(
    vault: Vault, server: Server, tmp_path: Path
) -> None:
    vault.latest = 1
    found = keys(server, tmp_path).signing_key("hashivault://release")
    vault.latest = 2
    assert signatures.verify(vault.versions[1].public, b"m", found.sign(b"m"))


@pytest.mark.parametrize(
    ("prefix", "signs_with"),
    [("vault:v1:", 0), ("vault:v1:", 1), ("", 1), ("v3:", 0), ("x:v22:", 0)],
)
def test_another_version_or_key_is_refused(
    vault: Vault, server: Server, tmp_path: Path, prefix: str, signs_with: int
) -> None:
    found = keys(server, tmp_path).signing_key("hashivault://release")
    vault.prefix, vault.signs_with = prefix, signs_with
    with pytest.raises(KeyAccessError) as caught:
        found.sign(b"m")
    assert caught.value.code == Code.BAD_SIGNATURE


def test_what_the_environment_says(vault: Vault, server: Server, tmp_path: Path) -> None:
    vault.tokens = ["from bao", "from the file"]
    bao = {"BAO_ADDR": f"{server.url}/", "BAO_TOKEN": "from bao", "BAO_NAMESPACE": "team"}
    vault_keys(bao, tmp_path).public_key("openbao://release")
    assert server.asked[-1].header("x-vault-namespace") == "team"
    (tmp_path / ".vault-token").write_text("from the file\n")
    settings = {"VAULT_ADDR": server.url}
    vault_keys(settings, tmp_path).public_key("hashivault://release")
    assert server.asked[-1].header("x-vault-token") == "from the file"
    assert not server.asked[-1].header("x-vault-namespace")
    mounted = settings | {"TRANSIT_SECRET_ENGINE_PATH": "/team/transit/"}
    with pytest.raises(KeyAccessError):
        vault_keys(mounted, tmp_path).public_key("hashivault://release")
    assert server.asked[-1].path == "/v1/team/transit/keys/release"


def test_a_new_key(vault: Vault, server: Server, tmp_path: Path) -> None:
    assert keys(server, tmp_path).create("hashivault://release") == vault.versions[2].public
    assert vault.kinds == ["ecdsa-p256"]


def test_without_an_address_or_a_token(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="VAULT_ADDR or BAO_ADDR is not set"):
        vault_keys({}, tmp_path).public_key("hashivault://release")
    with pytest.raises(KeyAccessError, match="no Vault token found"):
        vault_keys({"VAULT_ADDR": server.url}, tmp_path).public_key("hashivault://release")
    with pytest.raises(KeyAccessError, match="no Vault token found"):
        keys(server, tmp_path, VAULT_TOKEN="a\r\nb").public_key("hashivault://release")
    assert not server.asked


def test_plain_http_to_another_host(tmp_path: Path) -> None:
    settings = {"VAULT_ADDR": "http://vault.example.com", "VAULT_TOKEN": TOKEN}
    with pytest.raises(InputError) as caught:
        vault_keys(settings, tmp_path).public_key("hashivault://release")
    assert caught.value.code == Code.INSECURE
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "reference",
    [
        "hashivault://",
        "hashivault://a/b",
        "hashivault://-a",
        "hashivault://a.",
        "vault://a",
        "hashivault://a?b",
        "hashivault://é",
    ],
)
def test_references_that_are_none(server: Server, tmp_path: Path, reference: str) -> None:
    with pytest.raises(InputError, match="should be in the format"):
        keys(server, tmp_path).signing_key(reference)
    assert not server.asked


LIST, SIGN = "/v1/transit/keys/release", "/v1/transit/sign/release/sha2-256"


def data(value: object) -> bytes:
    return answer(200, json.dumps({"data": value}).encode())


@pytest.mark.parametrize(
    ("place", "content", "kind", "code"),
    [
        (LIST, answer(403, b'{"errors":["permission denied"]}'), KeyAccessError, Code.REFUSED),
        (LIST, answer(404, b'{"errors":[]}'), KeyAccessError, Code.NOT_FOUND),
        (LIST, answer(400, b"no JSON"), KeyAccessError, Code.REFUSED),
        (LIST, answer(500), UnavailableError, Code.UNAVAILABLE),
        (LIST, answer(429), UnavailableError, Code.UNAVAILABLE),
        (LIST, answer(200, b"no JSON"), UnavailableError, Code.MALFORMED),
        (LIST, answer(200, b"[]"), UnavailableError, Code.MALFORMED),
        (LIST, answer(200, b"{}"), UnavailableError, Code.MALFORMED),
        (LIST, data({"latest_version": 1, "keys": {}}), UnavailableError, Code.MALFORMED),
        (LIST, data({"latest_version": 1, "keys": {"1": {"public_key": ""}}}), KeyAccessError, Code.MALFORMED),
        (
            LIST,
            data({"latest_version": 1, "keys": {"1": {"public_key": "AA==", "name": "ed25519"}}}),
            KeyAccessError,
            Code.MALFORMED,
        ),
        (
            LIST,
            data({"latest_version": 1, "keys": {"1": {"public_key": "*", "name": "ed25519"}}}),
            KeyAccessError,
            Code.MALFORMED,
        ),
        (SIGN, answer(403, b'{"errors":["1 error occurred","no"]}'), KeyAccessError, Code.REFUSED),
        (SIGN, data({}), UnavailableError, Code.MALFORMED),
        (SIGN, data({"signature": "vault:v2:*"}), UnavailableError, Code.MALFORMED),
        (SIGN, data({"signature": "nothing"}), KeyAccessError, Code.BAD_SIGNATURE),
        (SIGN, answer(200, b"x" * 2_000_000), CountermarkError, Code.TOO_LARGE),
    ],
)  # fmt: skip
def test_answers_that_are_not_keys(
    vault: Vault, server: Server, tmp_path: Path, place: str, content: bytes, kind: type[Exception], code: Code,
) -> None:  # fmt: skip
    vault.answers[place] = content
    with pytest.raises(kind) as caught:
        keys(server, tmp_path).signing_key("hashivault://release").sign(b"m")
    assert isinstance(caught.value, CountermarkError)
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)


def test_reasons_are_told_but_never_the_token(vault: Vault, server: Server, tmp_path: Path) -> None:
    vault.answers[LIST] = answer(403, b'{"errors":["permission\\ndenied"]}')
    with pytest.raises(KeyAccessError, match="HTTP 403: permission denied"):
        keys(server, tmp_path).public_key("hashivault://release")
    vault.answers[LIST] = answer(403, json.dumps({"errors": [f"bad token {TOKEN}"]}).encode())
    with pytest.raises(KeyAccessError) as caught:
        keys(server, tmp_path).public_key("hashivault://release")
    assert str(caught.value) == "vault key release: HTTP 403"
