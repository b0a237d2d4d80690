"""``cosign sign-blob`` and ``attest-blob``, in cosign's words.

What is made is verified before it is written, and whether it can be written is looked at before anything is signed: a
log forgets nothing. Unlike cosign's no result overwrites another one of the same command.
"""

from countermark.cli.cosign import consent
from countermark.cli.cosign.blob_results import Results
from countermark.cli.cosign.signing import parts
from countermark.cli.cosign.words import CosignError, Failing
from countermark.core import limits
from countermark.core.errors import InputError
from countermark.formats.payloads import StatementSubject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.schemes.cosign.blobs import FileSigner, SignedFile
    from countermark.schemes.cosign.material import Artifact

_NO_BUNDLE = "must specify --bundle with --new-bundle-format"
_NO_PLACE = (
    "must provide --new-bundle-format or --bundle where applicable with --signing-config or "
    "--use-signing-config"
)
_OLD_OUTPUT = "WARNING: the '--output' flag is deprecated and will be removed in the future. Use '--output-signature'"
# the flags that only the form from before bundles has a use for, in the order of cosign's warnings
_IGNORED = (
    "output-signature",
    "output-attestation",
    "output-certificate",
    "rfc3161-timestamp",
    "rfc3161-timestamp-bundle",
    "output",
)
_ALGORITHMS = (
    "ecdsa-sha2-256-nistp256",
    "ecdsa-sha2-384-nistp384",
    "ecdsa-sha2-512-nistp521",
    "rsa-sign-pkcs1-2048-sha256",
    "rsa-sign-pkcs1-3072-sha256",
    "rsa-sign-pkcs1-4096-sha256",
)


def sign(words: "Words", program: "Program", out: "Output") -> int:
    """Sign files."""
    _check_form(words)
    algorithm = words.text("signing-algorithm")
    if algorithm not in _ALGORITHMS:
        raise CosignError(
            f"invalid signing algorithm: {algorithm[:80]}. "
            f"Supported algorithms are: {', '.join(_ALGORITHMS)}"
        )
    several = [name for name in ("bundle", *_IGNORED) if words.texts.get(name)]
    if len(words.arguments) > 1 and several:
        raise CosignError(
            f"--{several[0]} takes the result of one file", hint="sign one file at a time"
        )
    with Failing(f"signing {words.arguments[0]}: "):
        consent.ask_before_logging(words, program, out)
    signer = _signer(words, program, out)
    for place in words.arguments:
        with Failing(f"signing {place}: "):
            if words.text("output"):
                out.foreign_error(_OLD_OUTPUT)
            _ready(words, program, signer)
            artifact = _payload(place, program, out, "getting payload: ")
            out.foreign_error("Signing artifact...")
            with Failing("signing bundle: "):
                signed = signer.sign(artifact, program.now())
            Results(words, program, out).signature(signed)
    return 0


def attest(words: "Words", program: "Program", out: "Output") -> int:
    """State something about a file."""
    predicate, statement = words.text("predicate"), words.text("statement")
    if not predicate and not statement:
        raise CosignError(
            "at least one of the flags in the group [predicate statement] is required"
        )
    _check_form(words)
    count = len(words.arguments)
    if count > 1 or (count == 0 and not statement and not words.text("hash")):
        raise CosignError(f"accepts 1 arg(s), received {count}")
    if predicate and statement:
        raise CosignError("one of --predicate or --statement must be set")
    signer = _signer(words, program, out)
    make = _statement if statement else _predicate
    signed = make(words, program, out, signer)
    Results(words, program, out).attestation(signed)
    return 0


# Flags ------------------------------------------------------------------------------------------------------


def _check_form(words: "Words") -> None:
    if words.on("new-bundle-format"):
        if not words.text("bundle"):
            raise CosignError(_NO_BUNDLE)
        return
    with_config = words.on("use-signing-config") or bool(words.text("signing-config"))
    if with_config and not words.text("bundle"):
        raise CosignError(_NO_PLACE)


def _signer(words: "Words", program: "Program", out: "Output") -> "FileSigner":
    """Who signs; first what a person has to know of the flags, and whether the results can be written."""
    form = "bundle" if words.on("new-bundle-format") else "legacy"
    algorithm = words.texts.get("signing-algorithm", "")
    made = parts(words, program, out, form, algorithm)
    try:
        signer = made.file_signer()
    except InputError as error:
        text = str(error).removeprefix("setting trusted material: ")
        raise CosignError(text, hint=error.hint) from error
    if form == "bundle":
        for name in _IGNORED:
            if words.texts.get(name):
                flag = name.removesuffix("-bundle")
                out.foreign_error(
                    f"WARNING: --{flag} is deprecated when using --new-bundle-format and will be ignored"
                )
    _check_places(words, program)
    return signer


def _check_places(words: "Words", program: "Program") -> None:
    """Refuse places that cannot be written to while nothing is signed yet."""
    what = {"bundle": "bundle"}
    if not words.on("new-bundle-format"):
        what |= {"output-signature": "signature", "output": "signature"}
        what |= {"output-certificate": "certificate", "output-attestation": "attestation"}
        what |= {"rfc3161-timestamp": "timestamp", "rfc3161-timestamp-bundle": "timestamp"}
    prefix = f"signing {words.arguments[0]}: " if "signing-algorithm" in words.texts else ""
    for name, kind in what.items():
        if words.texts.get(name):
            with Failing(f"{prefix}create {kind} file: "):
                program.files.check_result(words.text(name))


def _ready(words: "Words", program: "Program", signer: "FileSigner") -> None:
    """Open the key, or have one certified."""
    key = "getting keypair and token: getting signer: "
    with Failing(key + "reading key: " if words.text("key") else ""):
        signer.ready(program.now())


# What is signed -----------------------------------------------------------------------------------------------


def _payload(place: str, program: "Program", out: "Output", prefix: str = "") -> "Artifact":
    if place != "-":
        out.foreign_error(f"Using payload from: {place}")
    with Failing(prefix):
        return program.cosign.artifact(place)


def _predicate(
    words: "Words", program: "Program", out: "Output", signer: "FileSigner"
) -> "SignedFile":
    from countermark.cli.cosign import predicates  # noqa: PLC0415 - this command
    from countermark.schemes.cosign import artifacts  # noqa: PLC0415 - this command

    place, digest = words.arguments[0] if words.arguments else "", words.text("hash")
    if place == words.text("predicate") == "-":
        raise CosignError("standard input is either the file or the predicate")
    artifact = artifacts.of_digest("sha256", digest) if digest else _payload(place, program, out)
    stated = predicates.read(words, program, out, "")
    with Failing("creating bundle: "):
        _ready(words, program, signer)
        about = StatementSubject(
            name=_base(place), digests={"sha256": artifact.digest("sha256").hex()}
        )
        out.foreign_error("Signing artifact...")
        with Failing("signing bundle: "):
            return signer.attest([about], artifact, stated.type, stated.predicate, program.now())


def _base(place: str) -> str:
    """The last part of a path, as Go's path.Base has it."""
    return place.rstrip("/").rpartition("/")[2] or place[:1]


def _statement(
    words: "Words", program: "Program", out: "Output", signer: "FileSigner"
) -> "SignedFile":
    """Sign a whole statement as it is; a file that is given too has to be what it is about (cosign reads no file)."""
    from countermark.schemes.cosign import artifacts  # noqa: PLC0415 - this command

    place, digest = words.arguments[0] if words.arguments else "", words.text("hash")
    artifact = artifacts.of_digest("sha256", digest) if digest else None
    if place and artifact is None:
        artifact = _payload(place, program, out)
    path = words.text("statement")
    out.foreign_error(f"Using statement from: {path}")
    if path == "-":
        content: bytes | None = program.standard_input(limits.SIGNATURE_BYTES)
    else:
        content = program.files.read_large(path, limits.SIGNATURE_BYTES)
    if content is None:
        raise CosignError(f"could not read statement: open {path}: no such file or directory")
    _check_statement(content)
    with Failing("creating bundle: "):
        _ready(words, program, signer)
        out.foreign_error("Signing artifact...")
        with Failing("signing bundle: "):
            return signer.attest_whole(content, artifact, program.now())


def _check_statement(content: bytes) -> None:
    """Demand a statement before a key is opened."""
    from countermark.core.errors import MalformedError  # noqa: PLC0415 - this command
    from countermark.formats.payloads import InTotoStatement  # noqa: PLC0415 - this command

    try:
        InTotoStatement.parse(content)
    except MalformedError as error:
        raise CosignError(f"invalid statement: invalid statement: {error}") from None
