"""Which root we believe first: pinned, CA-issued, or first use."""

from countermark.core.errors import ChainError, Code, ConfigError, EvidenceError
from countermark.core.light import Sequence, datetime
from countermark.core.signer import DctSigner
from countermark.formats.tuf import ROOT, SignedRoot
from countermark.proofs import keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs.certificates import Bundle
    from countermark.proofs.x509 import Certificate

_NO_MATCH = (
    "could not validate the path to a trusted root: "
    "unable to match any certificates to trust_pinning config"
)
_FORGET = "if its owner replaced it on purpose: countermark trust forget, then trust pin"


def root_key_ids(root: SignedRoot) -> tuple[str, ...]:
    """The IDs of a root's keys as docker shows them (of the certificates)."""
    return root.body.roles[ROOT].key_ids


def pinned_keys(root: SignedRoot, pins: Sequence[str], now: datetime) -> tuple[str, ...]:
    """The IDs of those keys of a root that the pins mean.

    A pin is a key ID, of the certificate or of the bare key, or a PEM text: a certificate or public key that is the
    root's own, or a CA that its certificate leads to.

    Raises:
        ConfigError: a PEM text that is neither certificate nor public key.
    """
    known = {key_id: {key_id} for key_id in root_key_ids(root)}
    for key_id, names in known.items():
        try:
            names.add(keys.canonical_id(root.body.keys[key_id]))
        except EvidenceError:
            continue
    meant: set[str] = set()
    for pin in pins:
        ids = (pin,) if _is_id(pin) else _ids_of(pin, root, now)
        meant |= {key_id for key_id, names in known.items() if not names.isdisjoint(ids)}
    return tuple(key_id for key_id in known if key_id in meant)


def is_pinned(root: SignedRoot, pins: Sequence[str], now: datetime) -> bool:
    """Say whether a root is signed by keys that the pins mean, by as many as it demands.

    That such a key is listed is not enough: whoever makes a root can list anybody's certificate beside his own.

    Raises:
        ConfigError: a PEM text that is neither certificate nor public key.
    """
    meant = pinned_keys(root, pins, now)
    role = root.body.roles[ROOT]
    if set(meant) == set(role.key_ids):
        return bool(meant)  # the root is believed, so its own keys have signed it
    try:
        keys.check_signatures(root, role.replace(key_ids=meant), root.body.keys)
    except EvidenceError:
        return False
    return True


def _is_id(pin: str) -> bool:
    return len(pin) == 64 and "-" not in pin


def _ids_of(pin: str, root: SignedRoot, now: datetime) -> tuple[str, ...]:
    """The key IDs that a PEM text means."""
    from countermark.proofs import certificates, public_files, x509  # noqa: PLC0415 - PEM pins only

    text = pin.encode()
    if "BEGIN CERTIFICATE" not in pin:
        try:
            return (keys.canonical_id(public_files.parse_public_pem(text, now)),)
        except EvidenceError as error:
            raise ConfigError(f"root: {error}") from None
    try:
        found = x509.parse_pem(text)
    except EvidenceError as error:
        raise ConfigError(f"root: {error}") from None
    leaves = {c.der for c in found if not c.is_ca}
    cas = _cas(text, now) if any(c.is_ca for c in found) else ()
    return tuple(
        key_id
        for key_id, bundle in certificates.bundles(root.body).items()
        if bundle.leaf.der in leaves or (cas and _leads_to(bundle, cas, now))
    )


def _cas(text: bytes, now: datetime) -> "tuple[Certificate, ...]":
    from countermark.proofs import certificates  # noqa: PLC0415 - as above

    try:
        return certificates.parse_cas(text, now)
    except EvidenceError:
        return ()  # a CA that does not count vouches for nothing


def _leads_to(bundle: "Bundle", cas: "tuple[Certificate, ...]", now: datetime) -> bool:
    from countermark.proofs import certificates  # noqa: PLC0415 - as above

    try:
        certificates.check_chain(bundle, cas, now)
    except EvidenceError:
        return False
    return True


class Acceptance:
    """Says which keys of a root may make it believed (``trusted_root.Accept``).

    Pins of ``trust pin`` come first, and move along with a rotation that the pinned root signed. Then the signers of
    the policy: if all of them name their roots, only these keys count, also after a rotation, as in notary's
    ``trust_pinning``; another root never gets into the cache. Else first use believes it.
    """

    def __init__(
        self,
        pins: Sequence[str],
        signers: Sequence[DctSigner],
        now: datetime,
        *,
        require_pin: bool = False,
    ) -> None:
        self._pins, self._signers, self._now = tuple(pins), tuple(signers), now
        self._require_pin = require_pin

    def __call__(self, root: SignedRoot, before: SignedRoot | None) -> tuple[str, ...] | None:
        """Return the IDs of the keys that may have signed a root, None for any of its own.

        Raises:
            ChainError: ``pin``, it is not the one that was pinned; ``first-use``, none was, and one must be.
            ConfigError: a root of the policy cannot be read.
        """
        if self._pins:
            if before is not None:
                return None
            meant = pinned_keys(root, self._pins, self._now)
            if not meant:
                raise ChainError(
                    f"{_NO_MATCH}: the root is not the one that was pinned",
                    code=Code.PIN,
                    hint=_FORGET,
                )
            return meant
        if not self._signers and self._require_pin:
            raise ChainError("no root is pinned for this repository", code=Code.FIRST_USE)
        if not self._signers or any(signer.first_use for signer in self._signers):
            return None
        pins = tuple(pin for signer in self._signers for pin in signer.roots)
        meant = pinned_keys(root, pins, self._now)
        if not meant:
            raise ChainError(_NO_MATCH, code=Code.PIN)
        return meant
