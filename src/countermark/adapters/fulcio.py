"""Client of Fulcio: an identity token in, a short-lived certificate out (specs: cosign, 2e)."""

from countermark.adapters.sigstore_services import GOOD, JSON, Service
from countermark.core import limits
from countermark.core.errors import EvidenceError, InputError, MalformedError
from countermark.formats import strict_json
from countermark.formats.go_text import from_base64, to_base64
from countermark.formats.strict_json import Reader
from countermark.proofs import pem, spki, tokens

_KINDS = {"ecdsa": "ECDSA", "rsa": "RSA_PSS", "ed25519": "ED25519"}  # Fulcio does not compare them
_ANSWERS = ("signedCertificateEmbeddedSct", "signedCertificateDetachedSct")


class Fulcio(Service):
    """A certificate authority (port ``Certifier``).

    Whoever answers for its name gets the identity token, which opens everything that believes in its issuer and the
    audience in it; TLS is all that tells who it is.
    """

    name = "Fulcio"

    def certify(self, token: str, public_key: bytes, proof: bytes) -> tuple[bytes, ...]:
        """See the port."""
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InputError("the identity token is none: it has characters that no token has")
        text = pem.Block(type="PUBLIC KEY", content=public_key).encode().decode("ascii")
        asked = {
            "publicKeyRequest": {
                "publicKey": {"algorithm": _KINDS[spki.parse(public_key).kind], "content": text},
                "proofOfPossession": to_base64(proof),
            }
        }
        headers = {"Content-Type": JSON, "Accept": JSON, "Authorization": f"Bearer {token}"}
        answer = self.post(
            "/api/v2/signingCert", headers, strict_json.compact(asked), harmless_twice=True
        )
        if answer.status not in GOOD:
            hint = _of_token(token) if answer.status in (400, 401, 403) else ""
            raise self.failed(answer, secret=token, hint=hint)
        try:
            return _chain(answer.content)
        except EvidenceError as error:
            raise self.misunderstood(error, answer) from None


def _chain(content: bytes) -> tuple[bytes, ...]:
    """Read the chain, leaf first.

    A certificate's promise to be logged that comes beside it and not in it has no place in a bundle, and is not kept.
    """
    document = Reader(strict_json.parse(content, max_bytes=limits.TOKEN_BYTES))
    for name in _ANSWERS:
        if not document.has(name):
            continue
        found = document.object(name)
        if found.has("signedCertificateTimestamp"):
            from_base64(found.text("signedCertificateTimestamp"), "signedCertificateTimestamp")
        blocks = [
            block
            for text in found.object("chain").texts("certificates")
            for block in pem.parse(text.encode("utf-8"))
        ]
        if any(block.type != "CERTIFICATE" for block in blocks):
            raise MalformedError("something else than certificates is in the chain")
        if 0 < len(blocks) <= limits.BUNDLE_CERTIFICATES:
            return tuple(block.content for block in blocks)
    raise MalformedError("it has no chain of certificates")


def _of_token(token: str) -> str:
    """What a refused token says of itself, since Fulcio never says why it does not believe one."""
    try:
        claims = tokens.unverified_claims(token)
    except EvidenceError as error:
        return f"the identity token cannot be read: {error}"
    issuer, audience = claims.get("iss"), claims.get("aud")
    return (
        f"the token is of issuer {str(issuer)[:200]} for audience {str(audience)[:100]}: does this Fulcio "
        "believe them, and is the token still valid?"
    )
