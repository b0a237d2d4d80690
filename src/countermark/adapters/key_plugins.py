"""Keys that a program named ``sigstore-kms-NAME`` keeps, for references as ``NAME://…``.

The program is found on the PATH, is given the protocol's version and a JSON request as arguments, the message on its
standard input, and prints JSON; its exit status says nothing. Source: sigstore ``pkg/signature/kms/cliplugin``,
protocol v1. What it signs is checked with the public key that it named.
"""

import shutil

from countermark.adapters import key_services, process
from countermark.adapters.key_services import RemoteKey
from countermark.core.errors import Code, KeyAccessError, MalformedError
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader
from countermark.proofs import signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.formats.strict_json import Json
    from countermark.proofs.spki import PublicKey

PREFIX = "sigstore-kms-"
_PROTOCOL = "v1"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+")
_GO_HASHES = {"sha256": 5, "sha384": 6, "sha512": 7}  # crypto.Hash
_ERROR_CHARS = 500
_ANSWER_BYTES = 1024 * 1024
_SECONDS = 120.0  # a person may have to touch a token


class PluginKeys:
    """Finds programs that keep keys."""

    def __init__(self, environment: "Mapping[str, str]") -> None:
        self._environment = environment

    def program(self, reference: str) -> str:
        """Find a reference's program, "" where there is none."""
        name = reference.partition("://")[0]
        if not name or not _NAME.issuperset(name):
            return ""  # a name with a slash would be a path
        return shutil.which(PREFIX + name, path=self._environment.get("PATH", "")) or ""

    def public_key(self, reference: str) -> "PublicKey":
        """Ask for a public key.

        Raises:
            KeyAccessError: the program says no. UnavailableError: it fails. NotFoundError: there is none.
        """
        options: Json = {"rpcOptions": _rpc_options()}
        asked: dict[str, Json] = {
            "methodName": "publicKey",
            "publicKey": {"publicKeyOptions": options},
        }
        content = self._asked(reference, asked, "sha256", b"", ("publicKey", "publicKeyPEM"))
        return key_services.public_pem(content.decode("ascii", "replace"), reference)

    def signing_key(self, reference: str) -> RemoteKey:
        """Find a key that signs.

        Raises:
            As ``public_key``.
        """
        public = self.public_key(reference)
        name = signatures.hash_for(public)

        def signed(message: bytes, options: "dict[str, Json]") -> bytes:
            arguments: dict[str, Json] = {"rpcOptions": _rpc_options(), "messageOptions": options}
            asked: dict[str, Json] = {
                "methodName": "signMessage",
                "signMessage": {"signOptions": arguments},
            }
            return self._asked(reference, asked, name, message, ("signMessage", "signature"))

        def sign_message(message: bytes) -> bytes:
            return signed(message, {"hashFunc": _GO_HASHES[name]})

        def sign_digest(digest: bytes) -> bytes:
            text = key_services.to_base64(digest)
            return signed(b"", {"digest": text, "hashFunc": _GO_HASHES[name]})

        by_digest = None if public.kind == "ed25519" else sign_digest
        return RemoteKey(public, reference, by_digest, sign_message)

    def create(self, reference: str) -> "PublicKey":
        """Have a key made, of the kind that the program prefers; return the public key.

        Raises:
            As ``public_key``.
        """
        asked: dict[str, Json] = {"methodName": "defaultAlgorithm", "defaultAlgorithm": {}}
        place = ("defaultAlgorithm", "defaultAlgorithm")
        kind = self._answer(reference, asked, "sha256", b"", place)
        asked = {"methodName": "createKey", "createKey": {"algorithm": kind}}
        content = self._asked(reference, asked, "sha256", b"", ("createKey", "publicKeyPEM"))
        return key_services.public_pem(content.decode("ascii", "replace"), reference)

    def _asked(
        self,
        reference: str,
        method: "dict[str, Json]",
        hash_name: str,
        message: bytes,
        wanted: tuple[str, str],
    ) -> bytes:
        text = self._answer(reference, method, hash_name, message, wanted)
        try:
            return key_services.of_base64(text)
        except MalformedError as error:
            raise key_services.garbled(reference, error) from None

    def _answer(
        self,
        reference: str,
        method: "dict[str, Json]",
        hash_name: str,
        message: bytes,
        wanted: tuple[str, str],
    ) -> str:
        start: Json = {
            "protocolVersion": _PROTOCOL,
            "keyResourceID": reference.partition("://")[2],
            "hashFunc": _GO_HASHES[hash_name],
            "rpcOptions": _rpc_options(),
        }
        request = strict_json.compact({"initOptions": start} | method).decode()
        done = process.run(
            [self.program(reference), _PROTOCOL, request],
            given=message,
            environment=self._environment,
            max_bytes=_ANSWER_BYTES,
            seconds=_SECONDS,
        )
        program = PREFIX + reference.partition("://")[0]
        try:
            answer = Reader(strict_json.parse(done.output))
            if answer.has("errorMessage") and (text := answer.text("errorMessage")):
                shown = "".join(c if c.isprintable() else " " for c in text)[:_ERROR_CHARS]
                raise KeyAccessError(
                    f"{program}: plugin returned error: {shown}", code=Code.REFUSED
                )
            return answer.object(wanted[0]).text(wanted[1])
        except MalformedError as error:
            raise key_services.garbled(program, error) from None


def _rpc_options() -> "dict[str, Json]":
    return {"keyVersion": "", "remoteVerification": False}
