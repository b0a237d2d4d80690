"""What a certificate log takes: finished certificates, and such as are to be (RFC 6962, 3.1 and 3.2).

A log is no authority's judge: it takes whatever leads to a root that it knows, whether it has expired or not, so that
everybody can see what was issued.
"""

from itertools import pairwise

from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, MalformedError
from countermark.core.light import Sequence, sha256
from countermark.core.value import Value
from countermark.proofs import certificate_extensions, certificate_signatures, der, scts, x509
from countermark.proofs.signing_certificates import body_without
from countermark.proofs.x509 import Certificate

POISON = der.oid("1.3.6.1.4.1.11129.2.4.3")[2:]
_TREE_HEAD = b"\0\1"  # version 1, and what is signed is a tree's head


class Entry(Value):
    """What a log is to sign, and the certificates that show who issued it.

    Attributes:
        signed: type and content of the entry.
        extra: for ``get-entries``: the certificate to be, where it is one, and those above it.
    """

    signed: bytes
    extra: bytes

    @property
    def identity(self) -> bytes:
        """Names it, whenever it was sent."""
        return sha256(self.signed).digest()


def of_chain(chain: Sequence[bytes], roots: Sequence[Certificate], *, poisoned: bool) -> Entry:
    """Read what somebody sends: DER, the leaf first; the root may be missing.

    Raises:
        EvidenceError: ``malformed``, ``bad-chain``; a certificate to be where a finished one belongs, or the reverse.
    """
    if not 0 < len(chain) <= limits.CHAIN_CERTIFICATES:
        raise ChainError(f"{len(chain)} certificates")
    if any(len(each) > limits.CERTIFICATE_BYTES for each in chain):
        raise MalformedError("certificate is too large", code=Code.TOO_LARGE)
    path = _to_root([x509.parse(each) for each in chain], roots)
    leaf = path[0]
    poison = leaf.extension(POISON)
    if poisoned != (poison is not None and poison.critical):
        raise EvidenceError("a precertificate belongs to add-pre-chain, and only one does")
    above = [each.der for each in path[1:]]
    if not poisoned:
        return Entry(signed=scts.certificate_entry(leaf.der), extra=_listed(above))
    if len(path) < 2:
        raise ChainError("a precertificate that nobody issued")
    body = body_without(leaf.body, POISON)
    return of_precertificate(scts.precertificate_entry(path[1].key.der, body), [leaf.der, *above])


def of_precertificate(signed: bytes, chain: Sequence[bytes]) -> Entry:
    """Make the entry of a certificate to be that an authority of ours has just signed, poisoned."""
    leaf, *above = chain
    return Entry(signed=signed, extra=_sized(leaf) + _listed(above))


def _to_root(path: "list[Certificate]", roots: Sequence[Certificate]) -> "list[Certificate]":
    """Follow signatures to a root that is known, and add it where it is missing."""
    for below, above in pairwise(path):
        _check_issued(below, above)
    last = path[-1]
    if any(last.der == root.der for root in roots):
        return path
    for root in roots:
        if root.subject == last.issuer:
            _check_issued(last, root)
            return [*path, root]
    raise ChainError("chain does not end in a root that this log knows")


def _check_issued(below: Certificate, above: Certificate) -> None:
    if below.issuer != above.subject or not certificate_extensions.ca_limits(above).is_ca:
        raise ChainError("a certificate was not issued by the next one")
    certificate_signatures.check(below, above.key)


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(3) + content


def _listed(certificates: Sequence[bytes]) -> bytes:
    return _sized(b"".join(_sized(each) for each in certificates))


def leaf(signed: bytes, time: int, extensions: bytes = b"") -> bytes:
    """Write what the log's tree is over (MerkleTreeLeaf, 3.4): byte by byte what the promise is signed over."""
    return scts.signed_content(time, extensions, signed)


def tree_head(size: int, time: int, root: bytes) -> bytes:
    """Write what the log signs about its tree (3.5)."""
    return _TREE_HEAD + time.to_bytes(8) + size.to_bytes(8) + root
