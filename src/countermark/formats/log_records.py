"""Entries of a Rekor 2 log, for those who take them and those who look through them.

Specs: cosign, 2g. A verifier has no use for this: it writes the entry that it expects, and compares.
"""

from countermark.core.errors import MalformedError
from countermark.core.value import Value
from countermark.formats import rekor, strict_json
from countermark.formats.go_text import from_base64
from countermark.formats.rekor import Verifier
from countermark.formats.strict_json import Reader

_HASHES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


class Record(Value):
    """A ``hashedrekord`` 0.0.2: the digest of what was signed, the signature, and who can verify it."""

    algorithm: str
    digest: bytes
    signature: bytes
    verifier: Verifier

    def encode(self) -> bytes:
        """Write the canonical body."""
        return rekor.encode_record_2(self.digest, self.signature, self.verifier, self.algorithm)


def parse(body: bytes) -> Record:
    """Read a canonical body.

    Raises:
        MalformedError: it is none, or not in its one form.
    """
    document = Reader(strict_json.parse(body))
    if (document.text("kind"), document.text("apiVersion")) != (
        rekor.HASHEDREKORD,
        rekor.VERSION_2,
    ):
        raise MalformedError(f"a log entry of kind {document.text('kind')[:40]!r}", path="kind")
    record = document.object("spec").object("hashedRekordV002")
    data, signature = record.object("data"), record.object("signature")
    found = Record(
        algorithm=_HASHES.get(data.text("algorithm"), ""),
        digest=_raw(data, "digest"),
        signature=_raw(signature, "content"),
        verifier=_verifier(signature.object("verifier")),
    )
    if not found.algorithm or found.encode() != body:
        raise MalformedError("a log entry that is not canonical")
    return found


def _verifier(reader: Reader) -> Verifier:
    details = reader.text("keyDetails")
    if "x509Certificate" in reader.names():
        raw = _raw(reader.object("x509Certificate"), "rawBytes")
        return Verifier(key_details=details, certificate=raw)
    return Verifier(key_details=details, public_key=_raw(reader.object("publicKey"), "rawBytes"))


def _raw(reader: Reader, name: str) -> bytes:
    return from_base64(reader.text(name), f"{reader.path}.{name}")
