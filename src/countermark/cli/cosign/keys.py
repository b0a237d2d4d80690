"""``generate-key-pair``, ``import-key-pair`` and ``public-key``, in cosign's words."""

from countermark.cli.cosign.words import CosignError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.proofs.signing_keys import LocalKey
    from countermark.proofs.spki import PublicKey


def generate(words: "Words", program: "Program", out: "Output") -> int:
    """Make a key pair: in two files, in a key service (``--kms``), or in a secret of Kubernetes."""
    if len(words.arguments) + bool(words.text("kms")) > 1:
        raise CosignError("a key pair is made in one place: --kms, k8s://… or files")
    if words.text("kms"):
        _write_public(program.cosign.keys.create(words.text("kms")), words, program, out)
        return 0
    if words.arguments:
        return _generate_in_secret(words, program, out)
    from countermark.proofs import signing_keys  # noqa: PLC0415 - loads cryptography

    password = program.cosign.prompt.new_password()
    _write(signing_keys.generate(), password, words, program, out)
    return 0


def _generate_in_secret(words: "Words", program: "Program", out: "Output") -> int:
    place = words.arguments[0]
    scheme, found, path = place.partition("://")
    if not found:
        raise CosignError("could not parse scheme, use <scheme>://<ref> format")
    if scheme != "k8s":
        raise CosignError(
            f"undefined provider: {scheme[:80]}",
            hint="keys are made in files, in Kubernetes (k8s://), and in key services (--kms)",
        )
    from countermark.proofs import signing_keys  # noqa: PLC0415 - loads cryptography

    key = signing_keys.generate()
    program.cosign.kubernetes_keys.store(place, key, program.cosign.prompt.new_password())
    namespace, _, name = path.partition("/")
    out.foreign_error(f"Successfully created secret {name} in namespace {namespace}")
    _write_public(key.public, words, program, out)
    return 0


def _write_public(key: "PublicKey", words: "Words", program: "Program", out: "Output") -> None:
    """Write the public half of a key that lies elsewhere; another one is not written over unasked."""
    from countermark.proofs import public_keys  # noqa: PLC0415 - with the key

    path, text = f"{words.text('output-key-prefix')}.pub", public_keys.encode(key)
    if program.files.exists(path) and program.files.read_bytes(path) != text:
        _confirm(path, program, out)
    program.files.write_public(path, text)
    out.foreign_error(f"Public key written to {path}")


def _confirm(path: str, program: "Program", out: "Output") -> None:
    out.foreign_error(f"WARNING: File {path} already exists. Overwrite?")
    if not program.cosign.prompt.confirm():
        raise CosignError("user declined the prompt")


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
            _confirm(path, program, out)
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
