"""``cosign bundle create`` and ``inspect``; only what belongs together is put together (cosign takes any parts)."""

from countermark.cli.cosign.words import CosignError
from countermark.core.errors import CountermarkError, EvidenceError, MalformedError
from countermark.core.value import Value
from countermark.formats import bundle as bundles
from countermark.formats import legacy, rekor, strict_json
from countermark.formats.bundle import Bundle, LogEntry, MessageSignature
from countermark.formats.payloads import Envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.proofs.spki import PublicKey
    from countermark.schemes.cosign.material import Artifact

# the type that ``create`` writes, older than the one that all else is written with
_CREATED = "application/vnd.dev.sigstore.bundle+json;version=0.3"
_PEM, _BASE64 = (
    b"-----BEGIN",
    frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
)


class _Parts(Value):
    """What a bundle is made of: a signature or an envelope, and what verifies it."""

    signature: bytes = b""
    envelope: Envelope | None = None
    envelope_texts: tuple[bytes, ...] = ()
    certificate: bytes = b""
    key: "PublicKey | None" = None
    timestamp: bytes = b""


# Create -------------------------------------------------------------------------------------------------------


def create(words: "Words", program: "Program", out: "Output") -> int:
    """Make a bundle of a signature's parts."""
    if not words.text("artifact"):
        raise CosignError("must supply --artifact")
    if not words.text("bundle") and not words.text("signature"):
        raise CosignError("must at least supply signature via --bundle or --signature")
    parts = _parts(words, program)
    artifact = program.cosign.artifact(words.text("artifact"))
    if parts.key is None:
        raise CosignError("invalid bundle: validation error: missing verification material")
    _check_together(parts, artifact)
    entries = () if words.on("ignore-tlog") else (_logged(parts, artifact, words, program),)
    made = Bundle(
        version="0.3",
        certificates=(parts.certificate,) if parts.certificate else (),
        is_chain=False,
        key_hint="" if parts.certificate else hint(parts.key),
        entries=entries,
        timestamps=(parts.timestamp,) if parts.timestamp else (),
        content=parts.envelope
        or MessageSignature(
            algorithm="sha256", digest=artifact.digest("sha256"), signature=parts.signature
        ),
    )
    _write(made.encode(_CREATED), words, program, out)
    return 0


def _write(content: bytes, words: "Words", program: "Program", out: "Output") -> None:
    if words.text("out"):
        program.files.write_private(words.text("out"), content)
    else:
        out.result(content.decode("utf-8"))


def hint(key: "PublicKey") -> str:
    """How cosign names a key in a bundle: the sha256 of its SubjectPublicKeyInfo, in base64."""
    from countermark.core.light import sha256  # noqa: PLC0415 - keys only
    from countermark.formats.go_text import to_base64  # noqa: PLC0415 - keys only

    return to_base64(sha256(key.der).digest())


def _parts(words: "Words", program: "Program") -> _Parts:
    """Read all parts; what is given by itself counts more than what an old bundle has."""
    parts = _of_old_bundle(words, program)
    given = program.cosign.given
    if words.text("signature"):
        parts = parts.replace(signature=_decoded(given(words.text("signature"))), envelope=None)
    if words.text("rfc3161-timestamp"):
        parts = parts.replace(
            timestamp=legacy.parse_timestamp(given(words.text("rfc3161-timestamp")))
        )
    if words.text("certificate"):
        parts = parts.replace(certificate=_certificate(given(words.text("certificate"))))
    if words.text("attestation"):
        content = given(words.text("attestation"))
        parts = parts.replace(envelope=Envelope.parse(content), envelope_texts=(content,))
    if parts.certificate:
        from countermark.proofs import x509  # noqa: PLC0415 - certificates only

        return parts.replace(key=x509.parse(parts.certificate).key)
    if words.text("key"):
        try:
            return parts.replace(key=program.cosign.keys.public_key(words.text("key")))
        except CountermarkError as error:
            raise CosignError(f"loading public key: {error}", hint=error.hint) from error
    return parts


def _of_old_bundle(words: "Words", program: "Program") -> _Parts:
    path = words.text("bundle")
    if not path:
        return _Parts()
    found = legacy.parse_blob_bundle(_reading(program, path))
    if words.on("ignore-tlog") and found.entry is not None:
        raise CosignError(
            "cannot ignore transparency log when the provided bundle contains a Signed Entry Timestamp"
        )
    envelope = found.envelope()
    return _Parts(
        signature=b"" if envelope else found.signature,
        envelope=envelope,
        envelope_texts=(found.signature,) if envelope else (),
        certificate=first_certificate(found.certificate),
    )


def _reading(program: "Program", path: str) -> bytes:
    """Read a file, with Go's words before what goes wrong."""
    try:
        return program.cosign.given(path)
    except CountermarkError as error:
        raise CosignError(f"reading {path}: {error}", hint=error.hint) from error


def first_certificate(text: bytes) -> bytes:
    """The first certificate of a PEM text, DER; b"" where there is none, or a key."""
    from countermark.proofs import pem  # noqa: PLC0415 - where there is one

    blocks = pem.parse(text) if text else ()
    return blocks[0].content if blocks and blocks[0].type == "CERTIFICATE" else b""


def _certificate(content: bytes) -> bytes:
    """Read a certificate: PEM, in base64 once more as ``--output-certificate`` writes it, or as it is."""
    text = content if content.lstrip().startswith(_PEM) else _decoded(content)
    found = first_certificate(text)
    if not found:
        raise CosignError("unable to decode provided certificate")
    return found


def _decoded(content: bytes) -> bytes:
    from binascii import Error, a2b_base64  # noqa: PLC0415 - these commands only

    text = content.translate(None, b"\r\n")
    try:
        return a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        bad = next((n for n, byte in enumerate(text) if byte not in _BASE64), len(text))
        raise CosignError(f"illegal base64 data at input byte {bad}") from None


def _check_together(parts: _Parts, artifact: "Artifact") -> None:
    """Refuse parts that do not belong together: nobody could verify such a bundle.

    Raises:
        CosignError: the signature is by another key, or over another file.
    """
    from countermark.schemes.cosign import artifacts, check, material  # noqa: PLC0415 - create only

    key, envelope = parts.key, parts.envelope
    if key is None:
        return
    signature = parts.signature if envelope is None else envelope.signatures[0].value
    signed = artifact if envelope is None else envelope.pae
    if not check.is_signed(key, signed, signature):
        raise CosignError("the signature is not by this key over this artifact")
    if envelope is None:
        return
    found = material.Material(
        name="envelope",
        place="",
        signature=signature,
        signed=envelope.pae,
        stamped=signature,
        payload=envelope.payload,
        envelope=envelope,
    )
    try:
        artifacts.read(found, artifact)
    except EvidenceError as error:
        raise CosignError(f"the attestation: {error}") from None


def _logged(parts: _Parts, artifact: "Artifact", words: "Words", program: "Program") -> LogEntry:
    """Find the signature in the transparency log.

    Raises:
        CosignError: it is not there once, or the log cannot be asked.
    """
    verifier = _verifier(parts)
    if parts.envelope is None:
        digest = artifact.digest("sha256").hex()
        proposals = [rekor.encode_record_1(digest, parts.signature, verifier)]
    else:
        texts = dict.fromkeys((*parts.envelope_texts, parts.envelope.encode()))
        proposals = [rekor.encode_dsse_request(text, verifier) for text in texts]
    try:
        found = program.cosign.rekor(words.text("rekor-url")).about(proposals)
    except CountermarkError as error:
        raise CosignError(f"searching log query: {error}", hint=error.hint) from error
    about = [entry for entry in found if _is_about(entry, parts, proposals)]
    if not about:
        raise CosignError(
            "signature not found in transparency log", hint="--ignore-tlog makes a bundle without"
        )
    if len({entry.body for entry in about}) > 1:
        raise CosignError("too many tlog entries; should only have 1")
    return about[0]


def _verifier(parts: _Parts) -> bytes:
    """The certificate or key as the log has it, PEM."""
    from countermark.proofs import pem, public_keys  # noqa: PLC0415 - create only

    if parts.certificate:
        return pem.Block(type="CERTIFICATE", content=parts.certificate).encode()
    return public_keys.encode(parts.key) if parts.key is not None else b""


def _is_about(entry: LogEntry, parts: _Parts, proposals: "list[bytes]") -> bool:
    """Say whether an entry is of this signature: the log is not believed for having answered."""
    if parts.envelope is None:
        return entry.body in proposals
    try:
        _, _, record = rekor.parse_record(entry.body)
    except MalformedError:
        return False
    signatures = [signature for signature, _ in getattr(record, "signatures", ())]
    return signatures == [parts.envelope.signatures[0].value]


# Inspect ------------------------------------------------------------------------------------------------------


def inspect(words: "Words", program: "Program", out: "Output") -> int:
    """Show what is in a bundle; nothing is verified, and no network asked."""
    from countermark.cli.cosign import inspection  # noqa: PLC0415 - this command only
    from countermark.formats.trusted_root import TrustedRoot  # noqa: PLC0415 - this command only

    for line in (
        "WARNING: This command only inspects the contents of the bundle.",
        "It does not perform cryptographic verification or verify log inclusion.",
        "",
    ):
        out.foreign_error(line)
    root = TrustedRoot()
    try:
        root = program.cosign.sigstore(offline=True).trusted_root()
    except CountermarkError as error:
        out.foreign_error(
            f"Local TUF environment not initialized, some details will be omitted: {error}"
        )
    try:
        content = program.cosign.given(words.arguments[0])
    except CountermarkError as error:
        raise CosignError(f"opening bundle file: {error}", hint=error.hint) from error
    try:
        found = bundles.parse(content)
    except EvidenceError as error:
        raise CosignError(f"unmarshaling bundle: {error}", hint=error.hint) from error
    for line in inspection.shown(media_type(content), found, root):
        out.result(line)
    return 0


def media_type(content: bytes) -> str:
    """What a bundle says that it is."""
    document = strict_json.parse(content, max_bytes=len(content))
    found = ""
    if isinstance(document, dict):
        found = str(document.get("mediaType") or document.get("media_type") or "")
    return found[:200]
