"""Keys that Azure Key Vault or a managed HSM keeps, over its REST interface.

The version signs that the reference names, else the one that is the newest when it is looked up. RSA keys of every
size sign over SHA-256, as Sigstore verifies them (cosign has SHA-384 for 3072 bits and SHA-512 for 4096 here).
Source: sigstore ``pkg/signature/kms/azure`` (specs: cosign, 2d), Key Vault 7.4. Tested against a server of our own
that speaks this protocol, not against Azure.
"""

from countermark.adapters import key_services
from countermark.adapters.cloud_tokens import MicrosoftTokens
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url, is_loopback, quote
from countermark.adapters.key_services import AccessToken, RemoteKey
from countermark.core.errors import Code, InputError, KeyAccessError, MalformedError
from countermark.formats import strict_json
from countermark.proofs import der, signatures, spki

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.http_client import HttpClient
    from countermark.core.ports import Clock
    from countermark.formats.strict_json import Json, Reader
    from countermark.proofs.spki import PublicKey

SCHEME = "azurekms://"
_FORMAT = (
    "kms specification should be in the format "
    "azurekms://[VAULT_NAME][VAULT_URL]/[KEY_NAME]/[VERSION (optional)]"
)
_VERSION = "api-version=7.4"
# the only hosts that see a token, and for which one is asked: a reference could name anybody's
_SERVICES = (
    "vault.azure.net",
    "vault.usgovcloudapi.net",
    "vault.azure.cn",
    "managedhsm.azure.net",
    "managedhsm.usgovcloudapi.net",
    "managedhsm.azure.cn",
)
_CURVES = {"P-256": 32, "P-384": 48, "P-521": 66}
_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "": "RS256"}


class AzureKeys:
    """Finds keys of Azure Key Vault."""

    def __init__(
        self, client: "HttpClient", environment: "Mapping[str, str]", clock: "Clock"
    ) -> None:
        self._client, self._environment, self._clock = client, environment, clock
        self._tokens: dict[str, AccessToken] = {}

    def public_key(self, reference: str) -> "PublicKey":
        """Fetch a public key.

        Raises:
            InputError: not such a reference. KeyAccessError, UnavailableError: see ``ask``.
        """
        return self._found(reference)[1]

    def signing_key(self, reference: str) -> RemoteKey:
        """Find a key that signs.

        Raises:
            As ``public_key``.
        """
        url, public = self._found(reference)

        def sign_digest(digest: bytes) -> bytes:
            return self._signed(url, public, digest)

        return RemoteKey(public, url.shown, sign_digest)

    def create(self, reference: str) -> "PublicKey":
        """Make a key on P-256 where there is none of this name yet; return the public key.

        Raises:
            As ``public_key``.
        """
        try:
            return self.public_key(reference)
        except KeyAccessError as error:
            if error.code != Code.NOT_FOUND:
                raise
        url = _parsed(reference)
        if url.target.count("/") > 2:  # more than /keys/NAME
            raise InputError("a version cannot be made by name: leave it out")
        asked: Json = {
            "kty": "EC",
            "crv": "P-256",
            "key_ops": ["sign", "verify"],
            "attributes": {"enabled": True},
            "tags": {"use": "sigstore"},
        }
        self._ask("POST", url.replace(target=f"{url.target}/create"), asked)
        return self.public_key(reference)

    def _found(self, reference: str) -> "tuple[Url, PublicKey]":
        """The address of the very version, and its public key."""
        url = _parsed(reference)
        answer = self._ask("GET", url, None)
        try:
            key = answer.object("key")
            found = Url.parse(key.text("kid"))
            public = _public(key)
        except (MalformedError, InputError) as error:
            raise key_services.garbled(url.shown, MalformedError(str(error))) from None
        expected = url.target.split("/")
        if found.host != url.host or found.target.split("/")[: len(expected)] != expected:
            raise KeyAccessError(f"{url.shown}: answered with another key", code=Code.REFUSED)
        return url.replace(target=found.target), key_services.public_der(public, url.shown)

    def _signed(self, url: Url, public: "PublicKey", digest: bytes) -> bytes:
        asked: Json = {"alg": _ALGORITHMS[public.curve], "value": key_services.url_base64(digest)}
        answer = self._ask("POST", url.replace(target=f"{url.target}/sign"), asked)
        try:
            signature = key_services.of_url_base64(answer.text("value"))
        except MalformedError as error:
            raise key_services.garbled(url.shown, error) from None
        # r and s beside each other (RFC 7518, 3.4)
        return signatures.ecdsa_of_raw(signature) if public.kind == "ecdsa" else signature

    def _ask(self, method: str, url: Url, body: "Json") -> "Reader":
        headers = self._token(url.host).headers()
        content = b""
        if body is not None:
            content, headers["Content-Type"] = strict_json.compact(body), "application/json"
        asked = url.replace(target=f"{url.target}?{_VERSION}")
        request = HttpRequest(method=method, url=asked, headers=headers, body=content)
        return key_services.ask(self._client, request, url.shown)

    def _token(self, host: str) -> AccessToken:
        service = host if is_loopback(host) else host.partition(".")[2]
        if service not in self._tokens:
            tokens = MicrosoftTokens(self._client, self._environment, f"https://{service}")
            self._tokens[service] = AccessToken(tokens.fetch, self._clock)
        return self._tokens[service]


def _parsed(reference: str) -> Url:
    parts = reference.removeprefix(SCHEME).split("/")
    if not reference.startswith(SCHEME) or len(parts) not in (2, 3):
        raise InputError(_FORMAT)
    names = parts[1:] if parts[-1] else parts[1:-1]  # a version may be left out after its slash
    if not names or any(
        not name or quote(name, "") != name or name.strip(".") == "" for name in names
    ):
        raise InputError(_FORMAT)
    local = is_loopback(parts[0].rpartition(":")[0])
    url = Url.parse(f"{'http' if local else 'https'}://{parts[0]}/keys/{'/'.join(names)}")
    if not local and url.host.partition(".")[2] not in _SERVICES:
        raise InputError(f"not a host of Azure Key Vault: {url.host}", hint=_FORMAT)
    return url


def _public(key: "Reader") -> bytes:
    """Write a JSON web key (RFC 7517; in an HSM, ``kty`` says so too) as SubjectPublicKeyInfo."""
    kind = key.text("kty").removesuffix("-HSM")
    if kind == "EC":
        curve = key.text("crv")
        size = _CURVES.get(curve, 0)
        x, y = (key_services.of_url_base64(key.text(name)) for name in ("x", "y"))
        if len(x) > size or len(y) > size:
            raise MalformedError(f"unsupported key size: {curve[:20]}")
        return spki.encode_ecdsa(curve, b"\x04" + x.rjust(size, b"\0") + y.rjust(size, b"\0"))
    if kind == "RSA":
        n, e = (int.from_bytes(key_services.of_url_base64(key.text(name))) for name in ("n", "e"))
        return spki.encode_rsa(der.sequence(der.integer(n), der.integer(e)))
    raise MalformedError(f"unsupported public key type: {kind[:20]}")
