"""What browsers and programs send: parameters, read strictly, and refusals in OAuth's words."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from countermark.core import limits
from countermark.core.errors import InputError
from countermark.core.ports_hosting import Request, Response
from countermark.formats import strict_json
from countermark.services.passwords import basic_login

_FORM = "application/x-www-form-urlencoded"
# RFC 6749, 5.1: nothing of this may stay in a cache
NOT_KEPT = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
JSON = ("Content-Type", "application/json")


class GrantError(InputError):
    """A request that is refused; ``word`` is OAuth's for it (RFC 6749, 4.1.2.1 and 5.2; RFC 8628, 3.5)."""

    def __init__(self, word: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.word, self.status = word, status


class Fields:
    """Parameters by name, each at most once; one that is empty counts as left out (RFC 6749, 3.1)."""

    def __init__(self, content: str) -> None:
        """Read ``name=value&name=value``.

        Raises:
            GrantError: ``invalid_request``, a parameter comes twice, is too long, or is no UTF-8 text.
        """
        try:
            pairs = parse_qsl(
                content,
                keep_blank_values=True,
                max_num_fields=limits.FORM_FIELDS,
                errors="strict",
            )
        except ValueError:
            raise GrantError("invalid_request", "the parameters cannot be read") from None
        self._values: dict[str, str] = {}
        for name, value in pairs:
            if name in self._values:
                raise GrantError("invalid_request", f"parameter {name[:40]!r} comes twice")
            if len(value) > limits.FORM_FIELD_CHARS:
                raise GrantError("invalid_request", f"parameter {name[:40]!r} is too long")
            self._values[name] = value

    def get(self, name: str) -> str:
        """Return a parameter, "" where it is left out."""
        return self._values.get(name, "")

    def needed(self, name: str) -> str:
        """Return a parameter that must be there.

        Raises:
            GrantError: ``invalid_request``.
        """
        value = self.get(name)
        if not value:
            raise GrantError("invalid_request", f"parameter {name!r} is missing")
        return value

    def words(self, name: str) -> frozenset[str]:
        """Return a parameter that is a list of words with spaces between them."""
        return frozenset(self.get(name).split())

    def kept(self, *names: str) -> Mapping[str, str]:
        """Return those of some parameters that are there."""
        return {name: self._values[name] for name in names if self._values.get(name)}


def read_form(request: Request) -> Fields:
    """Read a form that was posted.

    Raises:
        GrantError: ``invalid_request``, it is none. InputError: ``too-large``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise GrantError("invalid_request", f"the body must be {_FORM}")
    content = request.body.read(limits.FORM_BYTES)
    try:
        return Fields(content.decode("ascii"))
    except UnicodeDecodeError:
        raise GrantError("invalid_request", "the parameters cannot be read") from None


def client_login(request: Request, form: Fields) -> tuple[str, str]:
    """Read which client asks, and its secret, "" where it shows none (RFC 6749, 2.3.1: both are escaped in Basic).

    Raises:
        GrantError: ``invalid_request``, none or two ways at once; ``invalid_client``, another scheme.
    """
    header = request.headers.get("authorization", "")
    if not header:
        return form.needed("client_id"), form.get("client_secret")
    login = basic_login(header)
    if login is None:
        raise GrantError("invalid_client", "clients log in with Basic", status=401)
    name, secret = unquote_plus(login[0]), unquote_plus(login[1])
    if form.get("client_secret") or form.get("client_id") not in ("", name):
        raise GrantError("invalid_request", "two ways to log in at once")
    return name, secret


def refusal(error: GrantError) -> Response:
    """Answer a program (RFC 6749, 5.2)."""
    body = strict_json.compact({"error": error.word, "error_description": str(error)})
    headers: tuple[tuple[str, str], ...] = (JSON, *NOT_KEPT)
    if error.status == 401:
        headers += (("WWW-Authenticate", 'Basic realm="countermark"'),)
    if error.status in (429, 503):
        headers += (("Retry-After", "30"),)
    return Response(status=error.status, headers=headers, body=body)
