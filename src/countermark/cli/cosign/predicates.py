"""What ``attest`` and ``attest-blob`` are told to state: a predicate and its type, from a file or from stdin."""

from countermark.cli.cosign.words import CosignError
from countermark.core import limits
from countermark.core.errors import MalformedError
from countermark.core.light import datetime
from countermark.core.value import Value
from countermark.formats import go_text, strict_json
from countermark.formats.payloads import CUSTOM_PREDICATE, PREDICATE_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output


class Stated(Value):
    """A predicate, JSON, and its type."""

    type: str
    predicate: bytes


def read(words: "Words", program: "Program", out: "Output", prefix: "str | None" = None) -> Stated:
    """Read the predicate, and say from where, as cosign does; ``prefix`` begins its errors (None: the image's).

    Raises:
        CosignError: neither a predicate nor a statement, or both; an unknown type; what is there is no JSON object.
    """
    if prefix is None:
        prefix = f"signing {words.arguments[0]}: " if words.arguments else ""
    file, whole = words.text("predicate"), words.text("statement")
    if not file and not whole:
        raise CosignError(
            "at least one of the flags in the group [predicate statement] is required"
        )
    if file and whole:
        raise CosignError(
            "if any flags in the group [predicate statement] are set none of the others can be; "
            "[predicate statement] were all set"
        )
    if whole:
        return _of_statement(_content(whole, prefix, program, out))
    asked = words.text("type")
    predicate_type = PREDICATE_TYPES.get(asked, asked)
    if "://" not in predicate_type:
        raise CosignError(f"{prefix}invalid predicate type: {asked}")
    content = _content(file, prefix, program, out)
    if predicate_type == CUSTOM_PREDICATE:
        return Stated(type=predicate_type, predicate=custom(content, program.now()))
    return Stated(type=predicate_type, predicate=_object(content, prefix))


def custom(content: bytes, now: datetime) -> bytes:
    """Write the predicate of type ``custom``: any text, and when it was stated."""
    text = content.decode("utf-8", "replace")
    stamp = go_text.format_time(now.replace(microsecond=0))
    return strict_json.compact({"Data": text, "Timestamp": stamp})


def _content(path: str, prefix: str, program: "Program", out: "Output") -> bytes:
    if path == "-":
        out.foreign_error("Using payload from: standard input")
        return program.standard_input(limits.SIGNATURE_BYTES)
    out.foreign_error(f"Using payload from: {path}")
    content = program.files.read_large(path, limits.SIGNATURE_BYTES)
    if content is None:
        raise CosignError(
            f"{prefix}getting predicate reader: open {path}: no such file or directory"
        )
    return content


def _object(content: bytes, prefix: str) -> bytes:
    """Demand a JSON object: cosign takes a text for spdx too, and then cannot verify it."""
    try:
        value = strict_json.parse_any(content, max_bytes=limits.SIGNATURE_BYTES)
    except MalformedError as error:
        raise CosignError(f"{prefix}provenance predicate: {error}") from None
    if not isinstance(value, dict):
        raise CosignError(f"{prefix}the predicate is not a JSON object")
    return content


def _of_statement(content: bytes) -> Stated:
    """Take type and predicate out of a whole statement; what it is about is the image that is signed."""
    try:
        value = strict_json.parse_any(content, max_bytes=limits.SIGNATURE_BYTES)
    except MalformedError as error:
        raise CosignError(f"the statement: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("predicate"), dict):
        raise CosignError("predicate cannot be empty")
    if not isinstance(value.get("predicateType"), str):
        raise CosignError("the statement has no predicateType")
    return Stated(type=value["predicateType"], predicate=strict_json.compact(value["predicate"]))
