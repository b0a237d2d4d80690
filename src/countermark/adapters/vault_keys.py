"""Keys that HashiCorp Vault or OpenBao keeps (transit engine).

The version of the key that is the latest when it is looked up signs, and no other, also if the key is rotated
meanwhile. Source: sigstore ``pkg/signature/kms/hashivault`` (specs: cosign, 2d), Vault's transit API. Tested against
a server of our own that speaks this protocol, not against Vault.
"""

from countermark.adapters import key_services, storage
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url, quote
from countermark.adapters.key_services import RemoteKey
from countermark.core.errors import (
    Code,
    InputError,
    KeyAccessError,
    MalformedError,
)
from countermark.formats import strict_json
from countermark.proofs import signatures, spki

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.http_client import HttpClient
    from countermark.formats.strict_json import Json, Reader
    from countermark.proofs.spki import PublicKey

SCHEMES = ("hashivault://", "openbao://")
_TOKEN_BYTES = 64 * 1024
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_HASHES = {"sha256": "sha2-256", "sha384": "sha2-384", "sha512": "sha2-512"}


class VaultKeys:
    """Finds keys of one Vault, which the environment names: VAULT_ADDR, VAULT_TOKEN and the like, or BAO_… ."""

    def __init__(self, client: "HttpClient", environment: "Mapping[str, str]", home: str) -> None:
        """``home`` is the folder in which ``vault login`` leaves ``.vault-token``."""
        self._client, self._environment, self._home = client, environment, home

    def _setting(self, name: str) -> str:
        found = self._environment.get(f"VAULT_{name}") or self._environment.get(f"BAO_{name}")
        return found or ""

    def public_key(self, reference: str) -> "PublicKey":
        """Fetch a public key, of the latest version.

        Raises:
            InputError: not such a reference, or VAULT_ADDR is missing. KeyAccessError, UnavailableError: see ``ask``.
        """
        return self._latest(_name(reference))[1]

    def signing_key(self, reference: str) -> RemoteKey:
        """Find a key that signs.

        Raises:
            As ``public_key``.
        """
        name = _name(reference)
        version, public = self._latest(name)
        keeper = f"vault key {name}"

        def sign_digest(digest: bytes) -> bytes:
            return self._signed(name, version, public, digest)

        if public.kind == "ed25519":
            return RemoteKey(public, keeper, None, sign_digest)  # it takes whole messages
        return RemoteKey(public, keeper, sign_digest)

    def create(self, reference: str) -> "PublicKey":
        """Make a key on P-256 where there is none of this name yet; return the public key.

        Raises:
            As ``public_key``.
        """
        name = _name(reference)
        self._ask("POST", f"keys/{name}", {"type": "ecdsa-p256"}, f"vault key {name}")
        return self.public_key(reference)

    def _latest(self, name: str) -> "tuple[int, PublicKey]":
        keeper = f"vault key {name}"
        try:
            data = self._ask("GET", f"keys/{name}", None, keeper).object("data")
            version = data.integer("latest_version")
            found = data.object("keys").object(str(version))
            text, kind = found.text("public_key"), found.text("name") if found.has("name") else ""
        except MalformedError as error:
            raise key_services.garbled(keeper, error) from None
        if kind != "ed25519":
            return version, key_services.public_pem(text, keeper)
        try:
            return version, spki.of_ed25519(key_services.of_base64(text))
        except MalformedError:
            raise KeyAccessError(f"{keeper}: not an Ed25519 key", code=Code.MALFORMED) from None

    def _signed(self, name: str, version: int, public: "PublicKey", content: bytes) -> bytes:
        keeper = f"vault key {name}"
        asked: dict[str, Json] = {
            "input": key_services.to_base64(content),
            "prehashed": public.kind != "ed25519",
            "key_version": version,
        }
        path = f"sign/{name}"
        if public.kind != "ed25519":
            path += f"/{_HASHES[signatures.hash_for(public)]}"
            asked["signature_algorithm"] = "pkcs1v15"
            asked["marshaling_algorithm"] = "asn1"
        try:
            text = self._ask("POST", path, asked, keeper).object("data").text("signature")
        except MalformedError as error:
            raise key_services.garbled(keeper, error) from None
        # vault:v3:MEUC…, where the prefix is the mount's own business but for the version
        prefix, _, value = text.rpartition(":")
        if prefix.rpartition(":")[2] != f"v{version}":
            raise KeyAccessError(
                f"{keeper}: signed with another version than {version}", code=Code.BAD_SIGNATURE
            )
        try:
            return key_services.of_base64(value)
        except MalformedError as error:
            raise key_services.garbled(keeper, error) from None

    def _ask(self, method: str, path: str, body: "Json", keeper: str) -> "Reader":
        address = self._setting("ADDR")
        if not address:
            raise InputError("VAULT_ADDR or BAO_ADDR is not set")
        mount = self._environment.get("TRANSIT_SECRET_ENGINE_PATH") or "transit"
        url = Url.parse(f"{address.rstrip('/')}/v1/{quote(mount.strip('/'), '/')}/{path}")
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        if namespace := self._setting("NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        content = b""
        if body is not None:
            content, headers["Content-Type"] = strict_json.compact(body), "application/json"
        files = tuple(filter(None, (self._setting("CACERT"),)))
        request = HttpRequest(
            method=method, url=url, headers=headers, body=content, tls=HostTls(ca_files=files)
        )
        return key_services.ask(self._client, request, keeper)

    def _token(self) -> str:
        token = self._setting("TOKEN")
        if not token:
            content = storage.read(f"{self._home}/.vault-token", _TOKEN_BYTES)
            token = (content or b"").decode("latin-1").strip()
        if not token or not token.isascii() or not token.isprintable():
            raise KeyAccessError("no Vault token found in env, helper, or ~/.vault-token")
        return token


def _name(reference: str) -> str:
    """The key's name: word characters, with dots and dashes inside."""
    scheme = next((s for s in SCHEMES if reference.startswith(s)), "")
    name = reference[len(scheme) :]
    edges = name[:1] + name[-1:]
    if (
        not scheme
        or not name
        or not _WORD.issuperset(edges)
        or not (_WORD | {"-", "."}) >= set(name)
    ):
        raise InputError("kms specification should be in the format hashivault://<key>")
    return name
