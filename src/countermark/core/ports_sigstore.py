"""What signing with cosign and hosting a Sigstore need from outside, as protocols.

Errors are as ``core/ports.py`` says.
"""

from countermark.core.light import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class SigningKey(Protocol):
    """A private key that signs, wherever it is: in a file, a token, a cloud."""

    @property
    def public_der(self) -> bytes:
        """The public key, SubjectPublicKeyInfo in DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message over the hash that belongs to the key: ECDSA in ASN.1 DER, RSA PKCS#1 v1.5, Ed25519.

        Raises:
            KeyAccessError: the key does not open, or its keeper refuses.
            UnavailableError: its keeper is out of reach.
        """
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign what has this digest under the hash that belongs to the key; Ed25519 keys make Ed25519ph (SHA-512).

        Raises:
            As ``sign``; KeyAccessError also where the keeper takes whole messages only (``not-supported``).
        """
        ...


class ServiceKeys(Protocol):
    """The private keys of a Sigstore that we host; its thief signs as that service."""

    def names(self) -> Sequence[str]:
        """Return the names of all keys, in order."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return a key's PKCS 8 DER, None where there is none of this name.

        Raises:
            KeyAccessError: it cannot be opened with our master key.
        """
        ...

    def put(self, name: str, private: bytes) -> None:
        """Keep a key durably; one of this name must not be there yet."""
        ...
