"""Who may read and write: everybody, or the users of an htpasswd file.

Three ways to run: everybody may do everything; everybody may read and users write; users only. Clients ask ``/v2/``
first and behave by its answer ever after (distribution/registry/client/auth/challenge). So with users only it answers
401 and ``Basic``. Where everybody may read it cannot, since clients without a login would give up; there it answers
401 and ``Bearer``, and hands short-lived tokens to everybody, for writing to those who log in. ``Basic`` is taken at
once everywhere.
"""

import binascii
import hmac
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from urllib.parse import parse_qsl

from countermark.core.errors import Code, InputError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.services.passwords import Passwords, basic_login

TOKEN_PATH = "/auth/token"  # noqa: S105 - notary-server's "autoredirect" sends clients there
_REALM = "countermark"
_TOKEN_LIFE = timedelta(seconds=300)  # distribution's default is 60; a large layer takes longer
_SCOPES = 10


def check_start(host: str, *, loopback: bool, users: bool, allow_anonymous_write: bool) -> None:
    """Refuse to let anybody write from elsewhere unless that was spelled out.

    Raises:
        InputError: the address is not loopback, there are no users, and nobody said that this is meant.
    """
    if loopback or users or allow_anonymous_write:
        return
    raise InputError(
        f"anybody who reaches {host} could publish there",
        code=Code.INSECURE,
        hint="give --htpasswd FILE, listen on 127.0.0.1, or say --allow-anonymous-write",
    )


class Caller(Value):
    """Who asks: a user's name, "" for nobody known; with a token, also the (repository, action) it is good for."""

    user: str = ""
    scopes: frozenset[tuple[str, str]] | None = None


class Access:
    """Decides who may do what on both services.

    Args:
        passwords: None lets everybody do everything (see ``check_start``).
        everybody_reads: whether those who do not log in may read.
        clock: for tokens.
        secret: a random key that tokens are made with; all workers share it.
        scheme: ``https``, or ``http`` where that is served.
    """

    def __init__(
        self,
        passwords: Passwords | None,
        clock: Clock,
        secret: bytes,
        *,
        everybody_reads: bool,
        scheme: str = "https",
    ) -> None:
        self._scheme = scheme
        self._passwords = passwords
        self._everybody_reads = everybody_reads or passwords is None
        self._clock = clock
        self._secret = hmac.digest(secret, b"tokens", "sha256")

    @property
    def everybody_reads(self) -> bool:
        """Whether those who do not log in may read."""
        return self._everybody_reads

    def serves(self, path: str) -> bool:
        """Say whether a path is the token endpoint's."""
        return path == TOKEN_PATH

    # what the services ask --------------------------------------------------------------------------

    def reads_at_once(self, authorization: str) -> bool:
        """Say whether whoever sends this may read, without work that takes time."""
        if self._passwords is None or self._everybody_reads:
            return True
        login = basic_login(authorization)
        return login is not None and self._passwords.known(*login)

    def refusal(
        self, request: Request, repository: str, actions: Sequence[str]
    ) -> tuple[tuple[str, str], ...] | None:
        """Return the headers of a 401 if the caller may not do all of this to a repository, else None.

        ``actions`` are distribution's: ``pull``, ``push``, ``delete`` and ``*``. A repository "" stands for what
        concerns none: a catalogue, the changefeed of all; with no actions for ``/v2/``, whose answer tells clients
        how to log in.

        Raises:
            UnavailableError: logins cannot be checked now.
        """
        if self._passwords is None:
            return None
        caller = self._caller(request)
        if caller is None:
            return self._challenge(request, repository, actions, "invalid_token")
        if self._may(caller, repository, actions):
            return None
        problem = "insufficient_scope" if caller.scopes is not None else ""
        return self._challenge(request, repository, actions, problem)

    def _may(self, caller: Caller, repository: str, actions: Sequence[str]) -> bool:
        if self._everybody_reads and repository and set(actions) <= {"pull"}:
            return True
        if caller.scopes is None:
            return bool(caller.user)
        # whoever has any token has logged in as far as ``/v2/`` is concerned; ``*`` stands for every action
        scopes = caller.scopes
        return (repository, "*") in scopes or all((repository, a) in scopes for a in actions)

    def _challenge(
        self, request: Request, repository: str, actions: Sequence[str], problem: str
    ) -> tuple[tuple[str, str], ...]:
        if not self._everybody_reads:
            return (("WWW-Authenticate", f'Basic realm="{_REALM}"'),)
        host = _host(request)
        text = f'Bearer realm="{self._scheme}://{host}{TOKEN_PATH}",service="{host}"'
        if repository and '"' not in repository:
            text += f',scope="repository:{repository}:{",".join(actions)}"'
        if problem and request.headers.get("authorization", "").lower().startswith("bearer "):
            text += f',error="{problem}"'
        return (("WWW-Authenticate", text),)

    def _caller(self, request: Request) -> Caller | None:
        """Say who asks; None for a login or token that is wrong."""
        given = request.headers.get("authorization", "")
        if not given:
            return Caller()
        if given[:7].lower() == "bearer ":
            return self._token_caller(given[7:].strip())
        login = basic_login(given)
        if login is None or self._passwords is None:
            return None
        return Caller(user=login[0]) if self._passwords.right(*login, request.client) else None

    # tokens -----------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Hand out a token: for pulling to everybody, for more to a user (distribution's token protocol)."""
        if request.method not in ("GET", "HEAD"):
            return Response(status=405, headers=(("Allow", "GET"),))
        if self._passwords is None or not self._everybody_reads:
            return Response(status=404)
        caller = self._caller(request)
        if caller is None or caller.scopes is not None:
            challenge = ("WWW-Authenticate", f'Basic realm="{_REALM}"')
            return Response(status=401, headers=(challenge,))
        try:
            query = parse_qsl(request.query, max_num_fields=50)
        except ValueError:
            raise InputError("too many parameters") from None
        scopes = [value for name, value in query if name == "scope"][:_SCOPES]
        granted = _granted(" ".join(scopes).split()[:_SCOPES], user=bool(caller.user))
        token = self._make_token(caller.user, granted)
        body = strict_json.compact(
            {
                "token": token,
                "access_token": token,
                "expires_in": int(_TOKEN_LIFE.total_seconds()),
                "issued_at": self._clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Response(status=200, headers=headers, body=body)

    def _make_token(self, user: str, scopes: Sequence[tuple[str, str]]) -> str:
        until = int((self._clock() + _TOKEN_LIFE).timestamp())
        may = [word for scope in scopes for word in scope]
        content = strict_json.compact({"until": until, "user": user, "may": may})
        mark = hmac.digest(self._secret, content, sha256)
        return binascii.b2a_base64(mark + content, newline=False).decode().translate(_URL_SAFE)

    def _token_caller(self, token: str) -> Caller | None:
        try:
            raw = binascii.a2b_base64(token.translate(_URL_UNSAFE), strict_mode=True)
        except (binascii.Error, ValueError):
            return None
        mark, content = raw[:32], raw[32:]
        if not hmac.compare_digest(mark, hmac.digest(self._secret, content, sha256)):
            return None
        found = strict_json.Reader(strict_json.parse(content))  # ours, unchanged
        if self._clock().timestamp() >= found.integer("until"):
            return None
        may = found.texts("may")
        scopes = frozenset(zip(may[::2], may[1::2], strict=True))
        return Caller(user=found.text("user"), scopes=scopes)


_URL_SAFE = str.maketrans("+/", "-_")
_URL_UNSAFE = str.maketrans("-_", "+/")


def _granted(scopes: Sequence[str], *, user: bool) -> list[tuple[str, str]]:
    """Say what of the scopes asked for is given; ``repository:localhost:5000/app:pull,push``."""
    granted: list[tuple[str, str]] = []
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        if kind == "repository" and name:
            for action in wanted.split(","):
                if action == "pull" or (user and action in ("push", "delete", "*")):
                    granted.append((name, action))
        elif kind == "registry" and user:
            granted += [("", action) for action in wanted.split(",")]
    return granted


_HOST_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:[]")


def _host(request: Request) -> str:
    """Take the name that the client used for us, which goes back to it and nowhere else."""
    host = request.headers.get("host", "").lower()
    if not host or not _HOST_CHARS.issuperset(host):
        raise InputError("a Host that is not one")
    return host
