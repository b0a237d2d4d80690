"""Keys that Google Cloud KMS keeps, over its REST interface.

The version signs that the reference names, else the greatest enabled one at the time of looking (cosign takes the
last by name, for which 9 is after 10). Keys whose algorithm fixes another hash than Sigstore has for their kind are
refused. Source: sigstore ``pkg/signature/kms/gcp`` (specs: cosign, 2d), Cloud KMS v1. Tested against a server of our
own that speaks this protocol, not against Google's.
"""

from countermark.adapters import key_services
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url, quote
from countermark.adapters.key_services import AccessToken, RemoteKey
from countermark.core.errors import (
    Code,
    InputError,
    KeyAccessError,
    MalformedError,
    UnavailableError,
)
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader
from countermark.proofs import signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.http_client import HttpClient
    from countermark.formats.strict_json import Json
    from countermark.proofs.spki import PublicKey

SCHEME = "gcpkms://"
_FORMAT = (
    "kms specification should be in the format gcpkms://projects/[PROJECT_ID]/locations/[LOCATION]/"
    "keyRings/[KEY_RING]/cryptoKeys/[KEY]/cryptoKeyVersions/[VERSION]"
)
_PARTS = ("projects", "locations", "keyRings", "cryptoKeys")
_VERSIONS = ("cryptoKeyVersions", "versions")
_PAGES = 100  # of 100 versions each
_API = "https://cloudkms.googleapis.com"
# what we verify with is fixed by the kind of key, so these and no others
_ALGORITHMS = {
    "EC_SIGN_P256_SHA256": "sha256",
    "EC_SIGN_P384_SHA384": "sha384",
    "RSA_SIGN_PKCS1_2048_SHA256": "sha256",
    "RSA_SIGN_PKCS1_3072_SHA256": "sha256",
    "RSA_SIGN_PKCS1_4096_SHA256": "sha256",
    "EC_SIGN_ED25519": "",
}


class GcpKeys:
    """Finds keys of Google Cloud KMS."""

    def __init__(
        self, client: "HttpClient", environment: "Mapping[str, str]", token: AccessToken
    ) -> None:
        """``token`` is one of ``cloud_tokens.GoogleTokens``."""
        self._client, self._environment, self._token = client, environment, token

    def public_key(self, reference: str) -> "PublicKey":
        """Fetch a public key.

        Raises:
            InputError: not such a reference. KeyAccessError, UnavailableError: see ``ask``.
        """
        return self._version(reference)[1]

    def signing_key(self, reference: str) -> RemoteKey:
        """Find a key that signs.

        Raises:
            As ``public_key``.
        """
        version, public = self._version(reference)

        def sign_digest(digest: bytes) -> bytes:
            return self._signed(
                version, {"digest": {signatures.hash_for(public): key_services.to_base64(digest)}}
            )

        def sign_message(message: bytes) -> bytes:
            return self._signed(version, {"data": key_services.to_base64(message)})

        if public.kind == "ed25519":
            return RemoteKey(public, version, None, sign_message)
        return RemoteKey(public, version, sign_digest)

    def create(self, reference: str) -> "PublicKey":
        """Make a key on P-256, and its ring, where they are not there yet; return the public key.

        Raises:
            As ``public_key``.
        """
        name = _parsed(reference)
        parts = name.split("/")
        if len(parts) > 8:
            raise InputError("a version cannot be made by name: leave it out")
        location, ring = "/".join(parts[:4]), "/".join(parts[:6])
        self._made(ring, f"{location}/keyRings?keyRingId={parts[5]}", {})
        template: Json = {"algorithm": "EC_SIGN_P256_SHA256"}
        key: Json = {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": template}
        self._made(name, f"{ring}/cryptoKeys?cryptoKeyId={parts[7]}", key)
        return self.public_key(reference)

    def _made(self, name: str, path: str, body: "Json") -> None:
        """Make a resource that is not there yet."""
        try:
            self._ask("GET", name, None, name)
        except KeyAccessError as error:
            if error.code != Code.NOT_FOUND:
                raise
            self._ask("POST", path, body, name)

    def _version(self, reference: str) -> "tuple[str, PublicKey]":
        name = _parsed(reference)
        if _VERSIONS[0] not in name.split("/"):
            name = self._newest(name)
        found = self._ask("GET", f"{name}/publicKey", None, name)
        try:
            algorithm, text = found.text("algorithm"), found.text("pem")
        except MalformedError as error:
            raise key_services.garbled(name, error) from None
        if algorithm not in _ALGORITHMS:
            raise KeyAccessError(
                f"{name}: keys for {algorithm[:60]} are not supported", code=Code.NOT_SUPPORTED
            )
        return name, key_services.public_pem(text, name)

    def _newest(self, name: str) -> str:
        versions: list[int] = []
        page = ""
        for _ in range(_PAGES):
            query = "filter=state%3DENABLED&pageSize=100" + (f"&pageToken={page}" if page else "")
            answer = self._ask("GET", f"{name}/{_VERSIONS[0]}?{query}", None, name)
            try:
                for item in (
                    answer.objects("cryptoKeyVersions") if answer.has("cryptoKeyVersions") else []
                ):
                    number = item.text("name").removeprefix(f"{name}/{_VERSIONS[0]}/")
                    if number.isascii() and number.isdigit() and item.text("state") == "ENABLED":
                        versions.append(int(number))
                page = quote(answer.text("nextPageToken")) if answer.has("nextPageToken") else ""
            except MalformedError as error:
                raise key_services.garbled(name, error) from None
            if not page:
                break
        else:
            raise UnavailableError(
                f"{name}: more than {_PAGES} pages of versions", code=Code.TOO_LARGE
            )
        if not versions:
            raise KeyAccessError(
                f"{name}: unable to find an enabled key version in GCP KMS", code=Code.NOT_FOUND
            )
        return f"{name}/{_VERSIONS[0]}/{max(versions)}"

    def _signed(self, version: str, asked: "Json") -> bytes:
        answer = self._ask("POST", f"{version}:asymmetricSign", asked, version)
        try:
            return key_services.of_base64(answer.text("signature"))
        except MalformedError as error:
            raise key_services.garbled(version, error) from None

    def _ask(self, method: str, path: str, body: "Json", keeper: str) -> Reader:
        base = self._environment.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS") or _API
        headers = self._token.headers()
        content = b""
        if body is not None:
            content, headers["Content-Type"] = strict_json.compact(body), "application/json"
        url = Url.parse(f"{base.rstrip('/')}/v1/{path}")
        request = HttpRequest(method=method, url=url, headers=headers, body=content)
        return key_services.ask(self._client, request, keeper)


def _parsed(reference: str) -> str:
    """The resource's name, versions written as the interface has them."""
    parts = reference.removeprefix(SCHEME).split("/")
    names, values = parts[::2], parts[1::2]
    if (
        not reference.startswith(SCHEME)
        or len(parts) not in (8, 10)
        or tuple(names[:4]) != _PARTS
        or (len(names) == 5 and names[4] not in _VERSIONS)
    ):
        raise InputError(_FORMAT)
    if any(quote(value, ":") != value or value in ("", ".", "..") for value in values):
        raise InputError(_FORMAT)
    if len(names) == 5:
        names[4] = _VERSIONS[0]
    return "/".join(f"{name}/{value}" for name, value in zip(names, values, strict=True))
