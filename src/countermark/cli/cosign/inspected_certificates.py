"""A certificate in the list that ``cosign bundle inspect`` prints, unchecked."""

from countermark.cli.cosign.outline import Node
from countermark.core.errors import EvidenceError
from countermark.core.light import UTC, datetime
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import certificate_extensions, certificate_facts, scts, x509
from countermark.proofs import signing_certificates as signers
from countermark.proofs.x509 import Certificate, Extension

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs.spki import PublicKey

_FULCIO = {
    1: "OIDC Issuer",
    2: "GitHub Workflow Trigger",
    3: "GitHub Workflow SHA",
    4: "GitHub Workflow Name",
    5: "GitHub Workflow Repository",
    6: "GitHub Workflow Ref",
    7: "OtherName SAN",
    8: "Issuer (V2)",
    9: "Build Signer URI",
    10: "Build Signer Digest",
    11: "Runner Environment",
    12: "Source Repository URI",
    13: "Source Repository Digest",
    14: "Source Repository Ref",
    15: "Source Repository Identifier",
    16: "Source Repository Owner URI",
    17: "Source Repository Owner Identifier",
    18: "Build Config URI",
    19: "Build Config Digest",
    20: "Build Trigger",
    21: "Run Invocation URI",
    22: "Source Repository Visibility At Signing",
    23: "Deployment Environment",
    24: "Token Subject",
}
# shown in lines of their own
_SHOWN = (
    certificate_extensions.KEY_USAGE,
    certificate_extensions.PURPOSES,
    certificate_extensions.ALTERNATIVE_NAMES,
    certificate_facts.KEY_IDENTIFIER,
    certificate_facts.AUTHORITY_IDENTIFIER,
)


def show(node: Node, content: bytes, root: TrustedRoot) -> None:
    """Show a certificate (DER); ``root`` names its authority and logs where it knows them."""
    try:
        found = x509.parse(content)
        _certificate_lines(node, found, root)
    except EvidenceError as error:
        node.add("Error", f"parsing certificate: {error}")


def _certificate_lines(node: Node, found: Certificate, root: TrustedRoot) -> None:
    node.add("Signature Algorithm", certificate_facts.algorithm(found))
    subject = certificate_facts.name(found.subject)
    if subject:
        node.add("Subject", subject)
    _issuer(node, found)
    validity = node.add("Validity")
    validity.add("Not Before", time(found.not_before))
    validity.add("Not After", time(found.not_after))
    _key(node.add("Subject Public Key Info"), found.key)
    _extensions(node.add("Extensions"), found, root)
    node.add("Signature", f"Present ({certificate_facts.signature_bytes(found)} bytes)")


def _issuer(node: Node, found: Certificate) -> None:
    lines = [
        (label, values[-1 if label == "Common Name" else 0])
        for label, kind in (
            ("Common Name", certificate_facts.COMMON_NAME),
            ("Organization", certificate_facts.ORGANIZATION),
            ("Country", certificate_facts.COUNTRY),
        )
        if (values := certificate_facts.values(found.issuer, kind))
    ]
    if lines:
        issuer = node.add("Issuer")
        for label, value in lines:
            issuer.add(label, value)


def _key(node: Node, key: "PublicKey") -> None:
    if key.kind == "rsa":
        node.add("Algorithm", "RSA")
        node.add("Key Size", f"{key.bits} bits")
        return
    node.add("Algorithm", "ECDSA" if key.kind == "ecdsa" else "Ed25519")
    if key.curve:
        node.add("Curve", key.curve)
    text = key.raw.hex()
    node.add("Public Key", f"{text[:8]}...{text[-8:]} ({len(key.raw)} bytes)")


def _extensions(node: Node, found: Certificate, root: TrustedRoot) -> None:
    _identity(node, found)
    named, others = certificate_facts.purposes(found)
    for label, words in (
        ("Key Usage", certificate_facts.usages(found)),
        ("Extended Key Usage", named),
        ("Unknown Extended Key Usage", others),
    ):
        if words:
            node.add(label, ", ".join(words))
    own = certificate_facts.key_identifier(found)
    if own:
        node.add("Subject Key ID", own.hex())
    authority = certificate_facts.authority_identifier(found)
    if authority:
        url = _authority_url(authority, root)
        node.add("Authority URL" if url else "Authority Key ID", url or authority.hex())
    for extension in found.extensions:
        if extension.kind not in _SHOWN:
            _other(node, extension, found, root)


def _other(node: Node, extension: Extension, found: Certificate, root: TrustedRoot) -> None:
    if extension.kind == signers.SCT_LIST:
        _promises(node, found, root)
    elif extension.kind[:-1] == signers.FULCIO and extension.kind[-1] in _FULCIO:
        label = _FULCIO[extension.kind[-1]]
        node.add(label, certificate_facts.text_of(extension.value))
    else:
        size, is_critical = len(extension.value), str(extension.critical).lower()
        kind = certificate_facts.dotted(extension.kind)
        node.add(f"OID: {kind}", f"(Critical: {is_critical}) [{size} bytes]")


def _identity(node: Node, found: Certificate) -> None:
    lines = [("Common Name", found.common_name)] if found.common_name else []
    names = certificate_extensions.names(found)
    for label, kind in (
        ("Email", certificate_extensions.EMAIL),
        ("URI", certificate_extensions.URI),
    ):
        lines += [
            (label, name.content.decode("utf-8", "replace")) for name in names if name.kind == kind
        ]
    if lines:
        identity = node.add("Identity (Subject Alternative Name)")
        for label, value in lines:
            identity.add(label, value)


def _promises(node: Node, found: Certificate, root: TrustedRoot) -> None:
    """Show signed certificate timestamps; those that cannot be read are not shown (cosign)."""
    listed = [scts.parse(each) for each in signers.scts_of(found)]
    several = node.add("Signed Certificate Timestamps", str(len(listed)))
    for number, sct in enumerate(listed):
        one = several.add(f"Signed Certificate Timestamp [{number}]")
        one.add("Version", "v1")
        url = next((log.base_url for log in root.ct_logs if log.log_id == sct.log_id), "")
        one.add("Log URL" if url else "Log ID", url or sct.log_id.hex())
        one.add("Timestamp", time(datetime.fromtimestamp(sct.time // 1000, UTC)))
        one.add("Extensions", f"{len(sct.extensions)} bytes" if sct.extensions else "none")
        one.add("Signature", f"Present ({len(sct.signature)} bytes)")


def _authority_url(identifier: bytes, root: TrustedRoot) -> str:
    for authority in root.authorities:
        for content in authority.certificates:
            if certificate_facts.key_identifier(x509.parse(content)) == identifier:
                return authority.uri
    return ""


def time(moment: datetime) -> str:
    """Write a time to the second, UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
