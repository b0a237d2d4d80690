"""What ``cosign bundle inspect`` shows of a bundle: an indented list of what stands in it, unchecked."""

from countermark.cli.cosign import inspected_certificates
from countermark.cli.cosign.inspected_certificates import time
from countermark.cli.cosign.outline import Node
from countermark.core.errors import EvidenceError
from countermark.core.light import UTC, datetime
from countermark.formats import strict_json, tlog
from countermark.formats.bundle import Bundle, LogEntry, MessageSignature
from countermark.formats.go_text import from_base64
from countermark.formats.payloads import IN_TOTO, Envelope
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import certificate_facts, timestamps

_WARNING = "[!] WARNING"
_HASHES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


def shown(media_type: str, bundle: Bundle, root: TrustedRoot) -> "list[str]":
    """Write what stands in a bundle; ``root`` names logs and authorities by their URLs where it knows them."""
    top = Node()
    top.add("Bundle Media Type", media_type)
    material = top.add("Verification Material")
    _key_material(material, bundle, root)
    if bundle.entries:
        entries = material.add("Transparency Log Entries", str(len(bundle.entries)))
        for number, entry in enumerate(bundle.entries):
            _entry(entries.add(f"Entry [{number}]"), entry, root)
    if bundle.timestamps:
        _timestamps(material.add("Timestamp Verification Data"), bundle.timestamps)
    _content(top.add("Content"), bundle)
    return top.lines()


def _key_material(node: Node, bundle: Bundle, root: TrustedRoot) -> None:
    if bundle.is_chain:
        chain = node.add("Content", "X.509 Certificate Chain")
        chain.add("Certificates", str(len(bundle.certificates)))
        for number, each in enumerate(bundle.certificates):
            inspected_certificates.show(chain.add(f"Certificate [{number}]"), each, root)
        if bundle.version == "0.3":
            chain.add(_WARNING, "v0.3 bundle should use single certificate, not chain")
    elif bundle.certificates:
        one = node.add("Content", "X.509 Certificate")
        inspected_certificates.show(one, bundle.certificates[0], root)
        if bundle.version != "0.3":
            one.add(
                _WARNING, "v0.1/v0.2 bundle should use certificate chain, not single certificate"
            )
    else:
        key = node.add("Content", "Public Key Identifier")
        if bundle.key_hint:
            key.add("Hint", _hint(bundle.key_hint))
        else:
            key.add(_WARNING, "Public key hint is empty")


def _hint(text: str) -> str:
    """A key's name, in hex where it is base64."""
    try:
        return from_base64(text, "hint").hex()
    except EvidenceError:
        return text


# Logs and timestamps ------------------------------------------------------------------------------------------


def _entry(node: Node, entry: LogEntry, root: TrustedRoot) -> None:
    node.add("Log Index", str(entry.log_index))
    url = next((log.base_url for log in root.logs if log.log_id == entry.log_id), "")
    node.add("Log URL" if url else "Log ID", url or entry.log_id.hex())
    node.add("Kind", entry.kind)
    node.add("Version", entry.version)
    node.add(
        "Integrated Time",
        _seconds(entry.integrated_time) if entry.integrated_time else "0 (Not set)",
    )
    if entry.promise:
        promise = node.add("Inclusion Promise")
        promise.add("Signed Entry Timestamp", f"Present ({len(entry.promise)} bytes)")
    if entry.proof is not None:
        proof = node.add("Inclusion Proof")
        proof.add("Log Index", str(entry.proof.log_index))
        proof.add("Tree Size", str(entry.proof.tree_size))
        proof.add("Hashes", str(len(entry.proof.hashes)))
        if entry.proof.checkpoint:
            _checkpoint(proof.add("Checkpoint"), entry.proof.checkpoint)
    if entry.body:
        node.add("Canonicalized Body", f"Present ({len(entry.body)} bytes)")


def _checkpoint(node: Node, content: str) -> None:
    try:
        note = tlog.Note.parse(content)
        checkpoint = tlog.Checkpoint.parse(note.text)
    except EvidenceError:
        node.add("Envelope", f"Present ({len(content.encode())} bytes)")
        return
    node.add("Origin", checkpoint.origin)
    node.add("Tree Size", str(checkpoint.size))
    if checkpoint.extensions:
        others = node.add("Other Content", f"{len(checkpoint.extensions)} lines")
        for number, line in enumerate(checkpoint.extensions):
            others.add(f"[{number}]", line)
    # the log's own signature is among them: cosign calls all of them so
    witnesses = node.add("Witnesses", str(len(note.signatures)))
    for signature in note.signatures:
        witnesses.add(signature.name, f"Signature Present ({len(signature.value)} bytes)")


def _timestamps(node: Node, found: "tuple[bytes, ...]") -> None:
    node.add("RFC3161 Timestamps", str(len(found)))
    for number, response in enumerate(found):
        one = node.add(f"Timestamp [{number}]")
        try:
            info = timestamps.said(response)
        except EvidenceError:
            continue
        one.add("Time", time(info.time))
        one.add("Hash Algorithm", info.hash_name.upper().replace("SHA", "SHA-"))
        one.add("Message Imprint", f"Present ({len(info.digest)} bytes)")
        one.add("Serial Number", str(info.serial))
        one.add("Policy", certificate_facts.dotted(info.policy))


def _seconds(count: int) -> str:
    try:
        return time(datetime.fromtimestamp(count, UTC))
    except (ValueError, OverflowError):
        return str(count)


# What is signed -----------------------------------------------------------------------------------------------


def _content(node: Node, bundle: Bundle) -> None:
    if isinstance(bundle.content, Envelope):
        _envelope(node, bundle.content, bundle)
    else:
        _message(node, bundle.content)


def _message(node: Node, content: MessageSignature) -> None:
    node.add("Type", "Message Signature")
    digest = node.add("Message Digest")
    digest.add("Algorithm", _HASHES.get(content.algorithm, "HASH_ALGORITHM_UNSPECIFIED"))
    digest.add("Digest", f"Present ({len(content.digest)} bytes)")
    node.add("Signature", f"Present ({len(content.signature)} bytes)")


def _envelope(node: Node, envelope: Envelope, bundle: Bundle) -> None:
    node.add("Type", "DSSE Envelope")
    node.add("Payload Type", envelope.payload_type)
    node.add("Payload", f"Present ({len(envelope.payload)} bytes)")
    if envelope.payload_type == IN_TOTO:
        _statement(node, envelope.payload)
    several = node.add("Signatures", str(len(envelope.signatures)))
    for number, signature in enumerate(envelope.signatures):
        one = several.add(f"Signature [{number}]")
        one.add("Signature", f"Present ({len(signature.value)} bytes)")
        if signature.key_id:
            one.add("Key Hint", _hint(signature.key_id))
            if not bundle.certificates and signature.key_id != bundle.key_hint:
                one.add(_WARNING, "Key hint mismatch with Verification Material")


def _statement(node: Node, payload: bytes) -> None:
    try:
        statement = strict_json.parse_any(payload, max_bytes=len(payload))
    except EvidenceError:
        return
    if not isinstance(statement, dict):
        return
    shown_ = node.add("Payload Content (in-toto)")
    predicate_type, subjects = statement.get("predicateType"), statement.get("subject")
    if isinstance(predicate_type, str):
        shown_.add("Predicate Type", predicate_type)
    if isinstance(subjects, list):
        several = shown_.add("Subjects", str(len(subjects)))
        for subject in subjects:
            if isinstance(subject, dict) and isinstance(subject.get("name"), str):
                several.add("Name", subject["name"])
