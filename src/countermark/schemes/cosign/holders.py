"""Who signs: the holder of a key, or of a certificate for a key that never leaves this process."""

from countermark.core.errors import EvidenceError, InputError, KeyAccessError
from countermark.core.light import Callable, datetime, timedelta
from countermark.core.ports_sigstore import Certifier, SigningKey
from countermark.formats.strict_json import Json
from countermark.proofs import signing_certificates, signing_keys, tokens
from countermark.schemes.cosign.evidence import Held

# that a certificate has to be valid yet, so that services can be asked
_SPARE = timedelta(seconds=30)


class KeyHolder:
    """Holds a key; ``open_key`` may take a while, and is asked once."""

    is_short_lived = False

    def __init__(
        self, open_key: Callable[[], SigningKey], certificates: tuple[bytes, ...] = ()
    ) -> None:
        """``certificates`` are of an own authority, DER, leaf first."""
        self._open_key, self._certificates = open_key, certificates
        self._held: Held | None = None

    def hold(self, now: datetime) -> Held:
        """Have the key ready.

        Raises:
            KeyAccessError: it does not open, or is not the one that the certificate is for.
        """
        if self._held is None:
            key = self._open_key()
            if self._certificates:
                leaf = signing_certificates.parse(self._certificates[0])
                if leaf.certificate.key.der != key.public_der:
                    raise KeyAccessError(
                        "public key in certificate does not match the provided public key"
                    )
            self._held = Held(key=key, certificates=self._certificates)
        return self._held


class CertifiedHolder:
    """Holds a key made for this process, certified for whomever an identity token names.

    The token is asked for when it is needed and not before, so that it has not expired meanwhile; a certificate
    serves as long as it is valid.
    """

    is_short_lived = True

    def __init__(
        self,
        certifier: Certifier,
        token: Callable[[], str],
        algorithm: str = "ecdsa-p256",
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``algorithm`` is the key's (``proofs/signing_keys.py``); ``told`` hears what goes on, in cosign's words."""
        self._certifier, self._token, self._algorithm = certifier, token, algorithm
        self._told = told
        self._held: Held | None = None

    def hold(self, now: datetime) -> Held:
        """Have a certified key.

        Raises:
            RefusedError, UnavailableError: who certifies it says no, or nothing. EvidenceError: or something else.
        """
        if self._held is not None and _serves(self._held, now):
            return self._held
        self._told("Generating ephemeral keys...")
        key = signing_keys.generate(self._algorithm)
        token = self._token()
        proof = key.sign(challenge(token).encode("utf-8"))
        chain = self._certifier.certify(token, key.public_der, proof)
        leaf = signing_certificates.parse(chain[0])
        if leaf.certificate.key.der != key.public_der:
            raise EvidenceError("the certificate that was issued is for another key")
        self._held = Held(key=key, certificates=chain)
        return self._held


def _serves(held: Held, now: datetime) -> bool:
    return now + _SPARE <= signing_certificates.parse(held.certificates[0]).certificate.not_after


def challenge(token: str) -> str:
    """What the holder of a new key signs to prove it: the e-mail address of the token, else its subject (Fulcio).

    Raises:
        InputError: the token is none, or names nobody.
    """
    try:
        claims: dict[str, Json] = tokens.unverified_claims(token)
    except EvidenceError as error:
        raise InputError(f"the identity token: {error}") from None
    email, subject = claims.get("email"), claims.get("sub")
    if isinstance(email, str) and email:
        if claims.get("email_verified") not in (True, "true"):
            raise InputError("not verified by identity provider")
        return email
    if isinstance(subject, str) and subject:
        return subject
    raise InputError("the identity token names nobody")
