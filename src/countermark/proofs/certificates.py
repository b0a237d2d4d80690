"""Certificates of Notary v1's roots and delegates: which of them count, and which chain to a pinned CA.

A root key stands in its file as a PEM text: one leaf, then perhaps its intermediates, and those very bytes make the
key's ID. Sources: notary v0.7.0 ``trustpinning/certs.go``, ``tuf/utils/x509.go`` (specs: notary v1, 2.7). Checking
needs no library until a chain is to be built; issuing is in ``proofs/root_certificate.py``.
"""

from countermark.core.errors import ChainError, Code, EvidenceError, ExpiredError
from countermark.core.light import Mapping, datetime, timedelta
from countermark.core.value import Value
from countermark.formats.tuf import ROOT, Key, Root
from countermark.proofs import keys, pem, x509
from countermark.proofs.x509 import Certificate

_EARLY = timedelta(days=1)  # notary lets a certificate begin a day in the future: clocks differ
_MAX_CHAIN = 8  # certificates between leaf and CA
_NO_PATH = "could not validate the path to a trusted root: "


class Bundle(Value):
    """A leaf certificate and the intermediates that came with it."""

    leaf: Certificate
    intermediates: tuple[Certificate, ...] = ()

    @property
    def key(self) -> Key:
        """The TUF key made of it: the certificates in Go's PEM form, one after the other."""
        text = b"".join(encode_pem(c.der) for c in (self.leaf, *self.intermediates))
        return Key.of(f"{self.leaf.key.kind}-x509", text)


def encode_pem(der: bytes) -> bytes:
    """Write a certificate as Go does."""
    return pem.Block(type="CERTIFICATE", content=der).encode()


def parse_bundle(text: bytes) -> Bundle:
    """Read a PEM text of one leaf, which comes first, and CA certificates.

    Raises:
        EvidenceError: it does not parse; ``bad-chain``: another number of leaves, or a CA comes first.
    """
    found = x509.parse_pem(text)
    if found[0].is_ca or sum(not certificate.is_ca for certificate in found) != 1:
        raise ChainError("a bundle of certificates is one leaf and then its CAs")
    return Bundle(leaf=found[0], intermediates=found[1:])


def check(certificate: Certificate, now: datetime | None) -> None:
    """Refuse a certificate that cannot count; with ``now`` None whatever its dates.

    Raises:
        ChainError: it ends before it begins, has a weak signature or a short RSA key.
        ExpiredError: it is expired, or begins more than a day from now.
    """
    name = certificate.common_name
    if certificate.not_before > certificate.not_after:
        raise ChainError(f"certificate with CN {name} ends before it begins")
    if certificate.weak_hash:
        raise ChainError(f"certificate with CN {name} uses invalid SHA1 signature algorithm")
    if certificate.key.kind == "rsa" and certificate.key.bits < keys.MINIMUM_RSA_BITS:
        raise ChainError(f"certificate with CN {name} has an RSA key that is too short")
    if now is not None and (now > certificate.not_after or now + _EARLY < certificate.not_before):
        raise ExpiredError(f"certificate with CN {name} is expired")


def check_delegation_key(key: Key) -> None:
    """Refuse a delegate's certificate that cannot count; its dates mattered only when it was added.

    Raises:
        EvidenceError: see ``check``. A role that has such a key is invalid as a whole.
    """
    if key.type.endswith("-x509"):
        check(x509.parse_first(key.raw), None)


def is_for(certificate: Certificate, gun: str) -> bool:
    """Say whether a certificate is a repository's: its common name is the GUN, or a prefix of it that ends in ``*``.

    A bare ``*`` is nobody's (notary and docker take it for everybody's).
    """
    name = certificate.common_name
    prefix = name.rstrip("*")
    return name == gun or (prefix not in ("", name) and gun.startswith(prefix))


def bundles(root: Root) -> Mapping[str, Bundle]:
    """Read the certificates of a root's own role, by key ID; keys that are none or do not parse are left out.

    So are those whose ID is not that of the certificates written again: notary compares with these.
    """
    found: dict[str, Bundle] = {}
    for key_id in root.roles[ROOT].key_ids:
        key = root.keys.get(key_id)
        if key is None or not key.type.endswith("-x509"):
            continue
        try:
            bundle = parse_bundle(key.raw)
        except EvidenceError:
            continue
        keep = tuple(c for c in bundle.intermediates if _is_valid(c, None))
        if bundle.replace(intermediates=keep).key.id == key_id:
            found[key_id] = bundle
    return found


def valid_leaves(root: Root, gun: str, now: datetime | None) -> Mapping[str, Bundle]:
    """Return the root's certificates that may sign for a repository, by key ID; ``now`` None: whatever their dates.

    Raises:
        ChainError: there is none.
    """
    found = {
        key_id: bundle
        for key_id, bundle in bundles(root).items()
        if is_for(bundle.leaf, gun) and _is_valid(bundle.leaf, now)
    }
    if not found:
        raise ChainError(f"{_NO_PATH}unable to retrieve valid leaf certificates")
    return found


def _is_valid(certificate: Certificate, now: datetime | None) -> bool:
    try:
        check(certificate, now)
    except EvidenceError:
        return False
    return True


def parse_cas(text: bytes, now: datetime) -> tuple[Certificate, ...]:
    """Read the CAs that a pin names; those that do not count now are left out.

    Raises:
        EvidenceError: the text does not parse. ChainError: none of them counts.
    """
    found = tuple(c for c in x509.parse_pem(text) if c.is_ca and _is_valid(c, now))
    if not found:
        raise ChainError("invalid CA certs provided", code=Code.PIN)
    return found


def check_chain(bundle: Bundle, cas: tuple[Certificate, ...], now: datetime) -> None:
    """Refuse a leaf that does not chain to one of these CAs at this time.

    Unlike notary, which demands a TLS server's certificate here, whatever the leaf says that it is for will do: what
    notary itself issues is for signing code.

    Raises:
        ChainError: there is no such chain.
    """
    from countermark.proofs import chains  # noqa: PLC0415 - loads cryptography, only where a CA is pinned

    chains.check(
        bundle.leaf.der,
        [c.der for c in bundle.intermediates],
        [c.der for c in cas],
        now,
        _MAX_CHAIN,
    )
