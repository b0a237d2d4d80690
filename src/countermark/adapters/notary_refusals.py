"""Why a Notary v1 server refused an update, in the words of notary's client (specs: notary v1, 4.4)."""

from countermark.core import limits
from countermark.core.errors import Code, MalformedError, RefusedError
from countermark.core.text import harmless
from countermark.formats.strict_json import Reader, parse

_WORDS = {
    "ErrValidation": "An error occurred during validation: ",
    "ErrBadHierarchy": "Metadata hierarchy is incomplete: ",
    "ErrBadRoot": "The root metadata is invalid: ",
    "ErrBadTargets": "The targets metadata is invalid: ",
    "ErrBadSnapshot": "The snapshot metadata is invalid: ",
}
_GENERIC = "trust server rejected operation."


def refused(body: bytes) -> RefusedError:
    """Make the error of a 400: one known detail says why, anything else is ``trust server rejected operation.``."""
    # notary reads so much and no more, so that a longer body is none that it understands
    code, message = _parsed(body[: limits.ERROR_BODY_BYTES])
    conflict = Code.VERSION_CONFLICT if code == "VERSION" else Code.REFUSED
    return RefusedError(message, status=400, body=body, code=conflict)


def _parsed(body: bytes) -> tuple[str, str]:
    code = ""
    try:
        errors = Reader(parse(body)).objects("errors")
        if len(errors) != 1:
            return "", _GENERIC
        code = errors[0].text("code")
        detail = errors[0].object("detail")
        words = _WORDS[detail.text("Name")]
        return code, words + harmless(detail.object("Error").text("Msg"))
    except (MalformedError, KeyError):
        return code, _GENERIC
