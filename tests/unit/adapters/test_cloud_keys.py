"""Keys in Google's and Microsoft's clouds, against servers of ours that speak their protocols."""

import hashlib
import json
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import world
from countermark.adapters.azure_keys import AzureKeys
from countermark.adapters.cloud_tokens import GoogleTokens, MicrosoftTokens
from countermark.adapters.gcp_keys import GcpKeys
from countermark.adapters.http_client import HttpClient
from countermark.adapters.key_services import AccessToken, RemoteKey
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    UnavailableError,
)
from countermark.proofs import public_keys, signatures, signing_keys
from countermark.proofs.signing_keys import LocalKey
from servers import Asked, Server, answer, handling

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
TOKEN, SECRET = "ya29.sesame", "client secret & more"


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


def said(value: object, status: int = 200) -> bytes:
    return answer(status, json.dumps(value).encode())


def unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def url_text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


# Google -------------------------------------------------------------------------------------------------------


class Google:
    """Cloud KMS: a key with versions 9, 10 and a disabled 11; and the token service."""

    def __init__(self, algorithm: str = "ecdsa-p256", name: str = "EC_SIGN_P256_SHA256") -> None:
        self.versions = {n: signing_keys.generate(algorithm) for n in (9, 10, 11)}
        self.algorithm = name
        self.signs_with = 0
        self.there: list[str] = []  # rings and keys
        self.answers: dict[str, bytes] = {}
        self.forms: list[dict[str, list[str]]] = []

    def handle(self, asked: Asked) -> bytes:
        if asked.path in self.answers:
            return self.answers[asked.path]
        if asked.path == "/token":
            self.forms.append(parse_qs(asked.body.decode(), strict_parsing=True))
            return said({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
        if asked.header("authorization") != f"Bearer {TOKEN}":
            return said({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}, 401)
        if made := self.made(asked):
            return made
        if asked.path == f"/v1/{KEY}/cryptoKeyVersions":
            return self.listed(asked.target)
        number, _, verb = asked.path.removeprefix(f"/v1/{KEY}/cryptoKeyVersions/").partition("/")
        if verb == "publicKey" and int(number) in self.versions:
            text = public_keys.encode(self.versions[int(number)].public).decode()
            return said({"pem": text, "algorithm": self.algorithm, "pemCrc32c": "1"})
        number, _, verb = number.partition(":")
        assert verb == "asymmetricSign", asked
        return said({"signature": b64encode(self.signed(int(number), asked)).decode()})

    def made(self, asked: Asked) -> bytes:
        """Rings and keys, looked for and made."""
        name = asked.path.removeprefix("/v1/")
        if asked.method == "POST" and name.endswith(("/keyRings", "/cryptoKeys")):
            new = asked.target.partition("Id=")[2]
            self.there.append(f"{name}/{new}")
            return said(json.loads(asked.body) | {"name": f"{name}/{new}"})
        if name in (KEY, KEY.rpartition("/cryptoKeys")[0]):
            return said({"name": name}) if name in self.there else said({}, 404)
        return b""

    def listed(self, target: str) -> bytes:
        """Two pages, whose names are not in the order of their numbers."""
        assert "filter=state%3DENABLED" in target
        name = f"{KEY}/cryptoKeyVersions"
        if "pageToken" not in target:
            items = [
                {"name": f"{name}/10", "state": "ENABLED"},
                {"name": f"{name}/11", "state": "DISABLED"},
            ]
            return said({"cryptoKeyVersions": items, "nextPageToken": "a/b"})
        assert unquote(target).endswith("pageToken=a/b")
        return said(
            {"cryptoKeyVersions": [{"name": f"{name}/9", "state": "ENABLED"}], "totalSize": 3}
        )

    def signed(self, number: int, asked: Asked) -> bytes:
        key = self.versions[self.signs_with or number]
        body = json.loads(asked.body)
        if "data" in body:
            return key.sign(b64decode(body["data"]))
        ((name, text),) = body["digest"].items()
        assert name == signatures.hash_for(key.public)
        return key.sign_digest(b64decode(text))


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.fixture
def kms(google: Google) -> Iterator[Server]:
    with Server(handling(google.handle)) as running:
        yield running


def gcp(
    client: HttpClient, server: Server, home: Path | str = "/nonexistent", **more: str
) -> GcpKeys:
    given = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": server.url, **more}
    if not more:
        given["CLOUDSDK_AUTH_ACCESS_TOKEN"] = TOKEN
    tokens = GoogleTokens(client, given, str(home), lambda: world.NOW)
    return GcpKeys(client, given, AccessToken(tokens.fetch, lambda: world.NOW))


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        ("ecdsa-p256", "EC_SIGN_P256_SHA256"),
        ("ecdsa-p384", "EC_SIGN_P384_SHA384"),
        ("rsa-2048", "RSA_SIGN_PKCS1_2048_SHA256"),
        ("ed25519", "EC_SIGN_ED25519"),
    ],
)
def test_google_signs(client: HttpClient, algorithm: str, name: str) -> None:
    google = Google(algorithm, name)
    with Server(handling(google.handle)) as server:
        found = gcp(client, server).signing_key(f"gcpkms://{KEY}")
        assert found.public == google.versions[10].public
        check(found)


def check(found: RemoteKey) -> None:
    assert signatures.verify(found.public, b"message", found.sign(b"message"))
    digest = hashlib.new(signatures.hash_for(found.public), b"message").digest()
    if found.public.kind == "ed25519":
        with pytest.raises(KeyAccessError):
            found.sign_digest(digest)
    else:
        assert signatures.verify_digest(found.public, digest, found.sign_digest(digest))
        with pytest.raises(InputError):
            found.sign_digest(digest[:-1])


def test_a_new_key_of_google(client: HttpClient, google: Google, kms: Server) -> None:
    keys = gcp(client, kms)
    for _ in range(2):
        assert keys.create(f"gcpkms://{KEY}") == google.versions[10].public
    assert google.there == [KEY.rpartition("/cryptoKeys")[0], KEY]
    bodies = [json.loads(asked.body) for asked in kms.asked if asked.method == "POST"]
    template = {"algorithm": "EC_SIGN_P256_SHA256"}
    assert bodies == [{}, {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": template}]
    with pytest.raises(InputError, match="a version cannot be made by name"):
        keys.create(f"gcpkms://{KEY}/versions/1")
    google.answers[f"/v1/{KEY}"] = said({}, 403)
    with pytest.raises(KeyAccessError) as caught:
        keys.create(f"gcpkms://{KEY}")
    assert caught.value.code == Code.REFUSED


def test_a_list_without_an_end(client: HttpClient, google: Google, kms: Server) -> None:
    google.answers[VERSIONS] = said({"cryptoKeyVersions": [], "nextPageToken": "again"})
    with pytest.raises(UnavailableError) as caught:
        gcp(client, kms).public_key(f"gcpkms://{KEY}")
    assert caught.value.code == Code.TOO_LARGE
    assert len(kms.asked) == 100


@pytest.mark.parametrize("word", ["cryptoKeyVersions", "versions"])
def test_a_version_by_name(client: HttpClient, google: Google, kms: Server, word: str) -> None:
    found = gcp(client, kms).public_key(f"gcpkms://{KEY}/{word}/9")
    assert found == google.versions[9].public
    assert [asked.path for asked in kms.asked] == [f"/v1/{KEY}/cryptoKeyVersions/9/publicKey"]


@pytest.mark.parametrize(
    "reference",
    [
        "gcpkms://",
        "gcpkms://projects/p",
        f"gcpkms://{KEY}/",
        f"gcpkms://{KEY}/versions/",
        f"gcpkms://{KEY}/versions/..",
        f"gcpkms://{KEY}/others/1",
        f"gcpkms://{KEY}?a=b",
        "gcpkms://projects//locations/l/keyRings/r/cryptoKeys/k",
        "gcpkms://projects/p/location/l/keyRings/r/cryptoKeys/k",
    ],
)
def test_references_that_google_has_not(client: HttpClient, kms: Server, reference: str) -> None:
    with pytest.raises(InputError, match="should be in the format gcpkms://"):
        gcp(client, kms).signing_key(reference)
    assert not kms.asked


def test_another_key_signs(client: HttpClient, google: Google, kms: Server) -> None:
    found = gcp(client, kms).signing_key(f"gcpkms://{KEY}")
    google.signs_with = 9
    for sign, content in ((found.sign, b"m"), (found.sign_digest, bytes(32))):
        with pytest.raises(KeyAccessError) as caught:
            sign(content)
        assert caught.value.code == Code.BAD_SIGNATURE


@pytest.mark.parametrize(
    "name", ["RSA_SIGN_PSS_2048_SHA256", "RSA_SIGN_PKCS1_4096_SHA512", "EC_SIGN_SECP256K1_SHA256"]
)
def test_algorithms_that_sigstore_has_not(
    client: HttpClient, google: Google, kms: Server, name: str
) -> None:
    google.algorithm = name
    with pytest.raises(KeyAccessError, match=f"keys for {name} are not supported") as caught:
        gcp(client, kms).public_key(f"gcpkms://{KEY}")
    assert caught.value.code == Code.NOT_SUPPORTED


VERSIONS = f"/v1/{KEY}/cryptoKeyVersions"


@pytest.mark.parametrize(
    ("place", "content", "kind", "code"),
    [
        (VERSIONS, said({}), KeyAccessError, Code.NOT_FOUND),
        (
            VERSIONS,
            said({"cryptoKeyVersions": [{"name": "other/1", "state": "ENABLED"}]}),
            KeyAccessError,
            Code.NOT_FOUND,
        ),
        (VERSIONS, said({"cryptoKeyVersions": 1}), UnavailableError, Code.MALFORMED),
        (VERSIONS, said({"error": {"message": "denied"}}, 403), KeyAccessError, Code.REFUSED),
        (f"{VERSIONS}/10/publicKey", said({}), UnavailableError, Code.MALFORMED),
        (
            f"{VERSIONS}/10/publicKey",
            said({"algorithm": "EC_SIGN_P256_SHA256", "pem": "x"}),
            KeyAccessError,
            Code.MALFORMED,
        ),
        (f"{VERSIONS}/10:asymmetricSign", said({}), UnavailableError, Code.MALFORMED),
        (
            f"{VERSIONS}/10:asymmetricSign",
            said({"signature": "*"}),
            UnavailableError,
            Code.MALFORMED,
        ),
        (
            f"{VERSIONS}/10:asymmetricSign",
            said({"signature": "AAAA"}),
            KeyAccessError,
            Code.BAD_SIGNATURE,
        ),
        (f"{VERSIONS}/10:asymmetricSign", answer(503), UnavailableError, Code.UNAVAILABLE),
    ],
)
def test_answers_of_google_that_are_no_keys(
    client: HttpClient,
    google: Google,
    kms: Server,
    place: str,
    content: bytes,
    kind: type[CountermarkError],
    code: Code,
) -> None:
    google.answers[place] = content
    with pytest.raises(kind) as caught:
        gcp(client, kms).signing_key(f"gcpkms://{KEY}").sign(b"m")
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)


# Google's tokens ----------------------------------------------------------------------------------------------


def account(server: Server, key: LocalKey, **changes: object) -> str:
    private = key.object.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    found = {
        "type": "service_account",
        "private_key_id": "7",
        "private_key": private,
        "client_email": "a@p.iam.gserviceaccount.com",
        "token_uri": f"{server.url}/token",
    }
    return json.dumps(found | changes)


RSA = signing_keys.generate("rsa-2048")


def test_a_service_account(client: HttpClient, google: Google, kms: Server, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(account(kms, RSA))
    keys = gcp(client, kms, GOOGLE_APPLICATION_CREDENTIALS=str(file))
    keys.signing_key(f"gcpkms://{KEY}").sign(b"m")
    (form,) = google.forms  # one token for all requests
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    header, claims, signature = form["assertion"][0].split(".")
    assert json.loads(unpadded(header)) == {"alg": "RS256", "typ": "JWT", "kid": "7"}
    found = json.loads(unpadded(claims))
    assert found["iss"] == "a@p.iam.gserviceaccount.com"
    assert found["scope"] == "https://www.googleapis.com/auth/cloudkms"
    assert found["aud"] == f"{kms.url}/token"
    assert (found["iat"], found["exp"] - found["iat"]) == (int(world.NOW.timestamp()), 3600)
    assert signatures.verify(RSA.public, f"{header}.{claims}".encode(), unpadded(signature))


def test_a_persons_login(client: HttpClient, google: Google, kms: Server, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    found = {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": SECRET,
        "refresh_token": "1//x",
        "token_uri": f"{kms.url}/token",
    }
    (folder / "application_default_credentials.json").write_text(json.dumps(found))
    gcp(client, kms, tmp_path, PATH="").public_key(f"gcpkms://{KEY}")
    assert google.forms == [
        {
            "grant_type": ["refresh_token"],
            "client_id": ["id"],
            "client_secret": [SECRET],
            "refresh_token": ["1//x"],
        }
    ]


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_the_program_gcloud(client: HttpClient, kms: Server, tmp_path: Path) -> None:
    program(tmp_path / "bin", "gcloud", f'echo "$*" > {tmp_path}/words; echo {TOKEN}')
    gcp(client, kms, PATH=str(tmp_path / "bin")).public_key(f"gcpkms://{KEY}")
    assert (tmp_path / "words").read_text() == "auth application-default print-access-token\n"
    for script in ("exit 1", "true", "echo é"):
        program(tmp_path / "bin", "gcloud", script)
        with pytest.raises(KeyAccessError, match="gave no access token"):
            gcp(client, kms, PATH=str(tmp_path / "bin")).public_key(f"gcpkms://{KEY}")


P256 = signing_keys.generate()


@pytest.mark.parametrize(
    ("changes", "key", "code"),
    [
        ({"type": "external_account"}, RSA, Code.NOT_SUPPORTED),
        ({"type": 1}, RSA, Code.MALFORMED),
        ({"token_uri": None}, RSA, Code.MALFORMED),
        ({"private_key": "x"}, RSA, Code.MALFORMED),
        ({}, P256, Code.MALFORMED),
    ],
)
def test_credentials_that_are_none(
    client: HttpClient,
    kms: Server,
    tmp_path: Path,
    changes: dict[str, object],
    key: LocalKey,
    code: Code,
) -> None:
    file = tmp_path / "account.json"
    file.write_text(account(kms, key, **changes))
    with pytest.raises(KeyAccessError) as caught:
        gcp(client, kms, GOOGLE_APPLICATION_CREDENTIALS=str(file)).public_key(f"gcpkms://{KEY}")
    assert caught.value.code == code


def test_no_credentials(client: HttpClient, kms: Server, tmp_path: Path) -> None:
    with pytest.raises(KeyAccessError, match="no credentials for Google Cloud"):
        gcp(client, kms, tmp_path, PATH="").public_key(f"gcpkms://{KEY}")
    with pytest.raises(KeyAccessError, match="no such file") as caught:
        gcp(client, kms, GOOGLE_APPLICATION_CREDENTIALS=f"{tmp_path}/no").public_key(
            f"gcpkms://{KEY}"
        )
    assert caught.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (
            said({"error": "invalid_grant", "error_description": f"bad {SECRET}"}, 400),
            KeyAccessError,
            "HTTP 400: invalid_grant",
        ),
        (said({"expires_in": 1}), UnavailableError, "access_token is missing"),
        (said({"access_token": TOKEN, "expires_in": "1"}), UnavailableError, "not an integer"),
    ],
)
def test_the_token_service_says_no(
    client: HttpClient, google: Google, kms: Server, tmp_path: Path, content: bytes, kind: type[Exception], words: str
) -> None:  # fmt: skip
    google.answers["/token"] = content
    (tmp_path / "a.json").write_text(account(kms, RSA))
    with pytest.raises(kind) as caught:
        gcp(client, kms, GOOGLE_APPLICATION_CREDENTIALS=f"{tmp_path}/a.json").public_key(
            f"gcpkms://{KEY}"
        )
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_token_is_kept_until_its_last_minute() -> None:
    now = world.NOW
    given = iter([("a", 600), ("b", 600), ("c", 0), ("d", 0)])
    token = AccessToken(lambda: next(given), lambda: now)
    seen = []
    for minutes in (0, 8, 9, 18, 18):
        now = world.NOW + timedelta(minutes=minutes)
        seen.append(token.headers()["Authorization"])
    assert seen == [f"Bearer {t}" for t in ("a", "a", "b", "c", "d")]


# Microsoft ----------------------------------------------------------------------------------------------------


class Azure:
    """Key Vault: a key named k whose newest version is v2; and the token service."""

    def __init__(self, algorithm: str = "ecdsa-p256", hsm: str = "") -> None:
        self.keys = {version: signing_keys.generate(algorithm) for version in ("v1", "v2")}
        self.hsm = hsm
        self.answers: dict[str, bytes] = {}
        self.forms: list[dict[str, list[str]]] = []
        self.made: list[dict[str, object]] = []
        self.signs_with = ""

    def handle(self, asked: Asked) -> bytes:
        if asked.path in self.answers:
            return self.answers[asked.path]
        if asked.path == "/tenant/oauth2/v2.0/token":
            self.forms.append(parse_qs(asked.body.decode(), strict_parsing=True))
            return said({"access_token": TOKEN, "expires_in": 3599})
        assert asked.header("authorization") == f"Bearer {TOKEN}"
        assert asked.target.endswith("?api-version=7.4")
        parts = asked.path.split("/")  # "", keys, k, version, sign
        if asked.path == "/keys/k/create":
            self.made.append(json.loads(asked.body))
            self.keys["v2"] = signing_keys.generate()
            return said({"key": {}})
        if asked.method == "GET":
            version = parts[3] if len(parts) > 3 else "v2"
            if version not in self.keys:
                return said({"error": {"code": "KeyNotFound", "message": "none"}}, 404)
            host = asked.header("host")
            jwk = self.written(self.keys[version])
            return said({"key": jwk | {"kid": f"http://{host}/keys/k/{version}"}, "attributes": {}})
        key = self.keys[self.signs_with or parts[3]]
        body = json.loads(asked.body)
        made = key.sign_digest(unpadded(body["value"]))
        if key.public.kind == "ecdsa":
            size = (key.public.bits + 7) // 8
            r, s = decode_dss_signature(made)
            made = r.to_bytes(size) + s.to_bytes(size)
            assert body["alg"] == {32: "ES256", 48: "ES384", 66: "ES512"}[size]
        else:
            assert body["alg"] == "RS256"
        return said({"kid": f"http://h/keys/k/{parts[3]}", "value": url_text(made)})

    def written(self, key: LocalKey) -> dict[str, str]:
        if isinstance(key.object, ec.EllipticCurvePrivateKey):
            numbers = key.object.public_key().public_numbers()
            size = (key.public.bits + 7) // 8
            x, y = (url_text(n.to_bytes(size)) for n in (numbers.x, numbers.y))
            return {"kty": f"EC{self.hsm}", "crv": key.public.curve, "x": x, "y": y}
        assert isinstance(key.object, rsa.RSAPrivateKey)
        pair = key.object.public_key().public_numbers()
        return {"kty": f"RSA{self.hsm}", "n": url_text(pair.n.to_bytes(256)), "e": "AQAB"}


@pytest.fixture
def azure() -> Azure:
    return Azure()


@pytest.fixture
def vault(azure: Azure) -> Iterator[Server]:
    with Server(handling(azure.handle)) as running:
        yield running


def azure_keys(client: HttpClient, server: Server, **more: str) -> AzureKeys:
    given = {
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_AUTHORITY_HOST": f"{server.url}/",
    }
    return AzureKeys(client, given | more, lambda: world.NOW)


@pytest.mark.parametrize("hsm", ["", "-HSM"])
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048"])
def test_azure_signs(client: HttpClient, algorithm: str, hsm: str) -> None:
    azure = Azure(algorithm, hsm)
    with Server(handling(azure.handle)) as server:
        keys = azure_keys(client, server)
        found = keys.signing_key(f"azurekms://{server.address}/k")
        assert (
            found.public
            == azure.keys["v2"].public
            == keys.public_key(f"azurekms://{server.address}/k/")
        )
        assert keys.public_key(f"azurekms://{server.address}/k/v1") == azure.keys["v1"].public
        check(found)
        (form,) = azure.forms
    assert form == {
        "grant_type": ["client_credentials"],
        "client_id": ["client"],
        "client_secret": [SECRET],
        "scope": ["https://127.0.0.1/.default"],
    }


def test_a_new_key_of_azure(client: HttpClient, azure: Azure, vault: Server) -> None:
    keys, reference = azure_keys(client, vault), f"azurekms://{vault.address}/k"
    assert keys.create(reference) == azure.keys["v2"].public
    assert not azure.made
    del azure.keys["v2"]
    found = keys.create(reference)
    assert found == azure.keys["v2"].public
    assert [(made["kty"], made["crv"], made["key_ops"]) for made in azure.made] == [
        ("EC", "P-256", ["sign", "verify"])
    ]
    with pytest.raises(InputError, match="a version cannot be made by name"):
        keys.create(f"{reference}/v9")
    azure.answers["/keys/k"] = said({}, 403)
    with pytest.raises(KeyAccessError) as caught:
        keys.create(reference)
    assert caught.value.code == Code.REFUSED


def test_a_rotated_key_of_azure(client: HttpClient, azure: Azure, vault: Server) -> None:
    found = azure_keys(client, vault).signing_key(f"azurekms://{vault.address}/k/v1")
    assert signatures.verify(azure.keys["v1"].public, b"m", found.sign(b"m"))
    assert vault.asked[-1].path == "/keys/k/v1/sign"
    azure.signs_with = "v2"
    with pytest.raises(KeyAccessError) as caught:
        found.sign(b"m")
    assert caught.value.code == Code.BAD_SIGNATURE


@pytest.mark.parametrize(
    "reference",
    [
        "azurekms://",
        "azurekms://v.vault.azure.net",
        "azurekms://v.vault.azure.net/",
        "azurekms://v.vault.azure.net/k/v/w",
        "azurekms://v.vault.azure.net/k?x",
        "azurekms://v.vault.azure.net/..",
        "azurekms://vault.azure.net/k",
        "azurekms://v.vault.azure.net.example.com/k",
        "azurekms://evil.example.com/k",
        "azurekms://a@v.vault.azure.net/k",
    ],
)
def test_references_that_azure_has_not(client: HttpClient, vault: Server, reference: str) -> None:
    with pytest.raises(InputError):
        azure_keys(client, vault).signing_key(reference)
    assert not vault.asked, "no token is asked for, and none given away"


KID = "http://127.0.0.1/keys/k/v2"
EC = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": KID}


@pytest.mark.parametrize(
    ("place", "content", "kind", "code"),
    [
        ("/keys/k", said({}), UnavailableError, Code.MALFORMED),
        ("/keys/k", said({"key": EC}), KeyAccessError, Code.BAD_SIGNATURE),
        ("/keys/k", said({"key": EC | {"kty": "oct"}}), UnavailableError, Code.MALFORMED),
        ("/keys/k", said({"key": EC | {"crv": "P-256K"}}), UnavailableError, Code.MALFORMED),
        ("/keys/k", said({"key": EC | {"x": "A" * 100}}), UnavailableError, Code.MALFORMED),
        ("/keys/k", said({"key": EC | {"x": "+"}}), UnavailableError, Code.MALFORMED),
        ("/keys/k", said({"key": EC | {"kid": "k"}}), UnavailableError, Code.MALFORMED),
        (
            "/keys/k",
            said({"key": EC | {"kid": "http://other/keys/k/v"}}),
            KeyAccessError,
            Code.REFUSED,
        ),
        (
            "/keys/k",
            said({"key": EC | {"kid": "http://127.0.0.1/keys/l/v"}}),
            KeyAccessError,
            Code.REFUSED,
        ),
        ("/keys/k", said({"error": {"message": "none"}}, 404), KeyAccessError, Code.NOT_FOUND),
        ("/keys/k/v2/sign", said({}), UnavailableError, Code.MALFORMED),
        ("/keys/k/v2/sign", said({"value": "A+"}), UnavailableError, Code.MALFORMED),
        ("/keys/k/v2/sign", said({"value": "AAAA"}), KeyAccessError, Code.BAD_SIGNATURE),
    ],
)
def test_answers_of_azure_that_are_no_keys(
    client: HttpClient,
    azure: Azure,
    vault: Server,
    place: str,
    content: bytes,
    kind: type[CountermarkError],
    code: Code,
) -> None:
    azure.answers[place] = content
    with pytest.raises(kind) as caught:
        azure_keys(client, vault).signing_key(f"azurekms://{vault.address}/k").sign(b"m")
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)
    assert SECRET not in str(caught.value)


def fetched(client: HttpClient, server: Server, **more: str) -> tuple[str, int]:
    given = {
        "AZURE_AUTHORITY_HOST": server.url,
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
    }
    return MicrosoftTokens(client, given | more, "https://vault.azure.net").fetch()


def test_a_federated_token(client: HttpClient, azure: Azure, vault: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("ey.jwt\n")
    assert fetched(client, vault, AZURE_FEDERATED_TOKEN_FILE=str(file)) == (TOKEN, 3599)
    assert azure.forms[0]["client_assertion"] == ["ey.jwt"]
    assert azure.forms[0]["scope"] == ["https://vault.azure.net/.default"]
    with pytest.raises(KeyAccessError) as caught:
        fetched(client, vault, AZURE_FEDERATED_TOKEN_FILE=f"{tmp_path}/no")
    assert caught.value.code == Code.NOT_FOUND


def test_the_program_az(client: HttpClient, azure: Azure, vault: Server, tmp_path: Path) -> None:
    program(tmp_path / "bin", "az", f'echo "$*" > {tmp_path}/words; echo {TOKEN}')
    path = str(tmp_path / "bin")
    assert fetched(client, vault, PATH=path)[0] == TOKEN
    cli = {"AZURE_AUTH_METHOD": "cli", "AZURE_CLIENT_SECRET": SECRET}
    assert fetched(client, vault, PATH=path, **cli)[0] == TOKEN
    words = (tmp_path / "words").read_text()
    assert words == (
        "account get-access-token --resource https://vault.azure.net --query accessToken --output tsv\n"
    )
    assert not azure.forms
    for method in ("environment", ""):
        with pytest.raises(KeyAccessError, match="no credentials for Azure"):
            fetched(client, vault, PATH=path if method else "", AZURE_AUTH_METHOD=method)
