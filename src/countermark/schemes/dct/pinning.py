"""Which root we believe first: pinned, CA-issued, or first use."""

from countermark.core.errors import ChainError, Code, ConfigError, EvidenceError
from countermark.core.light import Sequence, datetime
from countermark.core.signer import DctSigner
from countermark.formats.tuf import ROOT, SignedRoot
from countermark.proofs import keys

_NO_MATCH = (
    "could not validate the path to a trusted root: "
    "unable to match any certificates to trust_pinning config"
)


def root_key_ids(root: SignedRoot) -> tuple[str, ...]:
    """The IDs of a root's keys as docker shows them (of the certificates)."""
    return root.body.roles[ROOT].key_ids


def is_pinned(root: SignedRoot, pins: Sequence[str], now: datetime) -> bool:
    """Say whether a root has a key that one of the pins means.

    A pin is a key ID, of the certificate or of the bare key, or a PEM text: a certificate or public key that is the
    root's own, or a CA that its certificate leads to.

    Raises:
        ConfigError: a PEM text that is neither certificate nor public key.
    """
    known = set()
    for key_id in root_key_ids(root):
        known.add(key_id)
        try:
            known.add(keys.canonical_id(root.body.keys[key_id]))
        except EvidenceError:
            continue
    return any(pin in known if _is_id(pin) else _means(pin, root, known, now) for pin in pins)


def _is_id(pin: str) -> bool:
    return len(pin) == 64 and "-" not in pin


def _means(pin: str, root: SignedRoot, known: set[str], now: datetime) -> bool:
    from countermark.proofs import certificates, public_files, x509  # noqa: PLC0415 - PEM pins only

    text = pin.encode()
    if "BEGIN CERTIFICATE" not in pin:
        try:
            return keys.canonical_id(public_files.parse_public_pem(text, now)) in known
        except EvidenceError as error:
            raise ConfigError(f"root: {error}") from None
    try:
        found = x509.parse_pem(text)
    except EvidenceError as error:
        raise ConfigError(f"root: {error}") from None
    bundles = certificates.bundles(root.body).values()
    leaves = {c.der for c in found if not c.is_ca}
    if any(bundle.leaf.der in leaves for bundle in bundles):
        return True
    if not any(c.is_ca for c in found):
        return False
    try:
        cas = certificates.parse_cas(text, now)
    except EvidenceError:
        return False  # a CA that does not count vouches for nothing
    return any(_leads_to(bundle, cas, now) for bundle in bundles)


def _leads_to(bundle: "object", cas: "tuple[object, ...]", now: datetime) -> bool:
    from countermark.proofs import certificates  # noqa: PLC0415 - as above

    try:
        certificates.check_chain(bundle, cas, now)  # type: ignore[arg-type]
    except EvidenceError:
        return False
    return True


class Acceptance:
    """Decides about a root that no earlier root vouches for.

    Pins of ``trust pin`` come first; then the signers of the policy: if all of them name their roots, a root that
    none of them means is refused, and never gets into the cache; else first use believes it.
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

    def __call__(self, root: SignedRoot) -> None:
        """Refuse a root.

        Raises:
            ChainError: ``pin``; it is not the one that was pinned.
        """
        if self._pins:
            if not is_pinned(root, self._pins, self._now):
                raise ChainError(
                    f"{_NO_MATCH}: the root is not the one that was pinned",
                    code=Code.PIN,
                    hint="if its owner replaced it on purpose: countermark trust forget, then trust pin",
                )
            return
        if not self._signers and self._require_pin:
            raise ChainError("no root is pinned for this repository", code=Code.PIN)
        demanding = [s for s in self._signers if not s.first_use]
        if len(demanding) == len(self._signers) and demanding:
            pins = tuple(pin for signer in demanding for pin in signer.roots)
            if not is_pinned(root, pins, self._now):
                raise ChainError(_NO_MATCH, code=Code.PIN)
