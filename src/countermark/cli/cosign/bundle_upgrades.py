"""``cosign bundle upgrade``: bundles of 0.1 and 0.2, and those from before there were bundles, as 0.3."""

from countermark.cli.cosign.bundles import first_certificate, hint, media_type
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import CountermarkError, EvidenceError, MalformedError
from countermark.formats import bundle as bundles
from countermark.formats import legacy, rekor
from countermark.formats.bundle import Bundle, LogEntry, MessageSignature
from countermark.formats.payloads import Envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output


def upgrade(words: "Words", program: "Program", out: "Output") -> int:
    """Write a bundle of an older version, or from before bundles, as 0.3."""
    path = words.arguments[0]
    try:
        content = program.cosign.given(path)
    except CountermarkError as error:
        raise CosignError(f"reading input file: {error}", hint=error.hint) from error
    try:
        upgraded = _upgraded(content, words, program, out)
    except CountermarkError as error:
        raise CosignError(f"upgrading bundle: {error}", hint=error.hint) from error
    if words.text("out"):
        program.files.write_private(words.text("out"), upgraded)
        out.foreign_error(f"Successfully upgraded bundle written to {words.text('out')}")
    else:
        out.result(upgraded.decode("utf-8"))
    return 0


def _upgraded(content: bytes, words: "Words", program: "Program", out: "Output") -> bytes:
    if legacy.is_blob_bundle(content):
        found = _of_before(legacy.parse_blob_bundle(content))
        out.foreign_error("Upgrading from the format before bundles to v0.3...")
    else:
        found = _parsed(content)
        if found.version == "0.3":
            out.foreign_error("Bundle is already at v0.3, no upgrade needed.")
            return content
        out.foreign_error(f"Upgrading from v{found.version} to v0.3...")
    if found.is_chain:
        out.foreign_error("Truncating certificate chain to only the leaf certificate...")
        for number, each in enumerate(found.certificates):
            out.foreign_error(f"  Certificate {number}{_named(each)}")
    entries = tuple(_proven(entry, words, program, out) for entry in found.entries)
    return found.replace(
        version="0.3", certificates=found.certificates[:1], is_chain=False, entries=entries
    ).encode()


def _parsed(content: bytes) -> Bundle:
    try:
        return bundles.parse(content)
    except MalformedError as error:
        if error.path == "mediaType":
            text = f"unsupported bundle version: {media_type(content)}"
            raise CosignError(text) from error
        raise CosignError(f"unmarshaling bundle: {error}", hint=error.hint) from error


def _of_before(old: legacy.BlobBundle) -> Bundle:
    """Take a bundle of a file as it was before: its entry says what was hashed, where there is one."""
    envelope = old.envelope()
    content: Envelope | MessageSignature
    if envelope is not None:
        content = envelope
    else:
        algorithm, digest = _logged_digest(old.entry)
        content = MessageSignature(algorithm=algorithm, digest=digest, signature=old.signature)
    leaf = first_certificate(old.certificate)
    return Bundle(
        version="0.1",
        certificates=(leaf,) if leaf else (),
        is_chain=False,
        key_hint="" if leaf else _hint_of(old.certificate),
        entries=() if old.entry is None else (old.entry,),
        timestamps=(),
        content=content,
    )


def _logged_digest(entry: LogEntry | None) -> tuple[str, bytes]:
    """What an old bundle's file hashes to, as its log entry has it: cosign verifies no bundle that does not say.

    Raises:
        CosignError: there is no log entry. MalformedError: it is of something else.
    """
    if entry is None:
        raise CosignError(
            "nothing in it says what is signed",
            hint="make a bundle with the file: cosign bundle create --artifact FILE --bundle OLD --ignore-tlog",
        )
    _, _, record = rekor.parse_record(entry.body)
    if not isinstance(record, rekor.HashedRekord):
        raise MalformedError("its log entry is not of a file's signature")
    return record.algorithm, bytes.fromhex(record.digest)


def _hint_of(text: bytes) -> str:
    """The name of the key that stands where a certificate would, "" where there is none."""
    if not text:
        return ""
    from countermark.proofs import public_keys  # noqa: PLC0415 - old bundles only

    return hint(public_keys.parse(text))


def _named(content: bytes) -> str:
    """Whom a certificate names, in the line about it."""
    from countermark.proofs import (  # noqa: PLC0415 - chains only
        certificate_extensions,
        certificate_facts,
        x509,
    )

    try:
        certificate = x509.parse(content)
        names = certificate_extensions.names(certificate)
        subject = certificate_facts.name(certificate.subject)
    except EvidenceError as error:
        return f": <unable to parse: {error}>"
    for kind in (certificate_extensions.EMAIL, certificate_extensions.URI):
        for name in names:
            if name.kind == kind:
                return f" Identity: {name.content.decode('utf-8', 'replace')}"
    return f" Identity: {subject or '<none>'}"


def _proven(entry: LogEntry, words: "Words", program: "Program", out: "Output") -> LogEntry:
    """Fetch the proof that 0.3 wants, where an entry has only the log's promise.

    Raises:
        CosignError: the log cannot be asked, or has another entry there.
    """
    if entry.proof is not None:
        return entry
    out.foreign_error(
        f"Fetching missing inclusion proof from Rekor for log index {entry.log_index}..."
    )
    try:
        found = program.cosign.rekor(words.text("rekor-url")).at(entry.log_index)
    except CountermarkError as error:
        raise CosignError(f"fetching log entry by index: {error}", hint=error.hint) from error
    if (found.body, found.log_id) != (entry.body, entry.log_id):
        raise CosignError(f"the log has another entry at {entry.log_index}")
    return entry.replace(proof=found.proof)
