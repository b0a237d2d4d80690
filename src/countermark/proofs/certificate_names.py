"""Whether names keep to the constraints of the CAs above them (RFC 5280, 4.2.1.10).

E-mail addresses and URIs are compared, since signers have such names. What else a CA constrains is refused as soon as
a name of that kind stands below it: not to understand a restriction is no reason to ignore it.
"""

from countermark.core.errors import ChainError
from countermark.core.light import Sequence
from countermark.proofs import certificate_extensions as extensions
from countermark.proofs.certificate_extensions import EMAIL, URI, Name, NameConstraints
from countermark.proofs.x509 import Certificate

_EMPTY_NAME = b"\x30\x00"


def check(constraints: NameConstraints, below: Sequence[Certificate]) -> None:
    """Refuse names that a CA may not have let be certified.

    Raises:
        ChainError: there is such a name, or one of a kind whose constraints we do not compare.
        MalformedError: a name cannot be read.
    """
    if not constraints.permitted and not constraints.excluded:
        return
    for certificate in below:
        if certificate is not below[0] and certificate.subject == certificate.issuer:
            continue  # a CA that changes its key keeps its name (6.1.3, b)
        for name in _names(certificate):
            _check_name(constraints, name)


def _names(certificate: Certificate) -> tuple[Name, ...]:
    found = extensions.names(certificate)
    if certificate.subject == _EMPTY_NAME:
        return found
    return (*found, Name(kind=extensions.DIRECTORY, content=certificate.subject))


def _check_name(constraints: NameConstraints, name: Name) -> None:
    permitted = [each for each in constraints.permitted if each.kind == name.kind]
    excluded = [each for each in constraints.excluded if each.kind == name.kind]
    if not permitted and not excluded:
        return
    lies_in = _COMPARED.get(name.kind)
    if lies_in is None:
        raise ChainError("a CA constrains names of a kind that we do not compare")
    text = extensions.plain_text(name).lower()
    if any(lies_in(text, extensions.plain_text(tree).lower(), wide=True) for tree in excluded):
        raise ChainError(f"name {text[:200]!r} is one that a CA above it excludes")
    if permitted and not any(
        lies_in(text, extensions.plain_text(tree).lower(), wide=False) for tree in permitted
    ):
        raise ChainError(f"name {text[:200]!r} is none that a CA above it permits")


def _email_lies_in(address: str, tree: str, *, wide: bool) -> bool:
    """A tree is one mailbox, all of one host, or with a dot in front all of the hosts below it."""
    if "@" in tree:
        return address == tree
    return _host_lies_in(address.rpartition("@")[2], tree, wide=wide)


def _uri_lies_in(uri: str, tree: str, *, wide: bool) -> bool:
    """A tree is a host, or with a dot in front all of the hosts below it."""
    authority = uri.partition("://")[2]
    for end in "/?#":
        authority = authority.partition(end)[0]
    host = authority.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if colon and not port.strip("0123456789"):
        host = name
    # RFC 5280: a URI without a host's name is refused where URIs are constrained
    if not host.strip(".0123456789") or "[" in host:
        raise ChainError("a CA constrains URIs, and one below it has no host name")
    return _host_lies_in(host, tree, wide=wide)


def _host_lies_in(host: str, tree: str, *, wide: bool) -> bool:
    """Compare hosts. Go takes those below a host for it as well, the RFC does not: what excludes is read widely."""
    host, exact = host.rstrip("."), tree.lstrip(".")
    if tree != exact:
        return host.endswith(f".{exact}") or (wide and host == exact)
    return host == exact or (wide and host.endswith(f".{exact}"))


_COMPARED = {EMAIL: _email_lies_in, URI: _uri_lies_in}
