"""``generate-key-pair``, ``import-key-pair`` and ``public-key``, in cosign's words."""

from countermark.cli.cosign.words import CosignError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.proofs.signing_keys import LocalKey


def generate(words: "Words", program: "Program", out: "Output") -> int:
    """Make a key pair and write it into two files."""
    for place in (*words.arguments, words.text("kms")):
        if place:
            _refuse_place(place)
    from countermark.proofs import signing_keys  # noqa: PLC0415 - loads cryptography

    password = program.cosign.prompt.new_password()
    _write(signing_keys.generate(), password, words, program, out)
    return 0


def _refuse_place(place: str) -> None:
    """Keys that live elsewhere are made there."""
    scheme, found, _ = place.partition("://")
    if not found:
        raise CosignError("could not parse scheme, use <scheme>://<ref> format")
    raise CosignError(
        f"no key is made at {scheme[:40]}:// from here",
        hint="make it with the tools of its keeper, then give --key with its reference",
    )


def import_pair(words: "Words", program: "Program", out: "Output") -> int:
    """Encrypt a private key that is there already, and write it and its public half into two files."""
    path = words.text("key")
    if not path:
        raise CosignError("read .: is a directory", hint="give the private key's file: --key FILE")
    content = program.files.read_bytes(path)
    if content is None:
        raise CosignError(f"open {path}: no such file or directory")
    from countermark.proofs import cosign_keys  # noqa: PLC0415 - loads cryptography

    key = cosign_keys.import_pem(content)
    password = program.cosign.prompt.new_password()
    _write(key, password, words, program, out, ask=not words.on("yes"))
    return 0


def _write(
    key: "LocalKey",
    password: bytes,
    words: "Words",
    program: "Program",
    out: "Output",
    *,
    ask: bool = True,
) -> None:
    from countermark.proofs import cosign_keys, public_keys, spki  # noqa: PLC0415 - with the key

    private, public = (f"{words.text('output-key-prefix')}.{end}" for end in ("key", "pub"))
    for path in (private, public):
        if ask and program.files.exists(path):
            out.foreign_error(f"WARNING: File {path} already exists. Overwrite?")
            if not program.cosign.prompt.confirm():
                raise CosignError("user declined the prompt")
    program.files.write_private(private, cosign_keys.encode(key, password))
    out.foreign_error(f"Private key written to {private}")
    program.files.write_public(public, public_keys.encode(spki.parse(key.public_der)))
    out.foreign_error(f"Public key written to {public}")


def public(words: "Words", program: "Program", out: "Output") -> int:
    """Print or write a key's public half."""
    reference = words.text("key")
    if not reference:
        raise CosignError(
            "exactly one of: key reference (--key), or hardware token (--sk) must be provided"
        )
    from countermark.proofs import public_keys, spki  # noqa: PLC0415 - this command only

    text = public_keys.encode(spki.parse(program.cosign.keys.signing_key(reference).public_der))
    if words.text("outfile"):
        program.files.write_public(words.text("outfile"), text)
        out.foreign_error(f"Public key written to {words.text('outfile')}")
    else:
        out.written(text.decode("ascii"))
    return 0
