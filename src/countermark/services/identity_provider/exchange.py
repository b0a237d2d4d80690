"""The token endpoint: codes, devices that were let in, and passwords of programs become identity tokens.

The answer has the same token as ``id_token`` and as ``access_token``: sigstore-python (4.5.1) takes the identity from
the latter, as Dex makes both. It opens nothing here.
"""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256

from countermark.core.errors import UnavailableError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.formats import strict_json
from countermark.formats.strict_json import Json
from countermark.proofs.tokens import encode_base64url
from countermark.services.identity_provider.forms import (
    JSON,
    NOT_KEPT,
    Fields,
    GrantError,
    client_login,
    read_form,
)
from countermark.services.identity_provider.grants import Codes, Devices
from countermark.services.identity_provider.issuing import Made, Tokens
from countermark.services.identity_provider.people import People, Person, TooManyError
from countermark.services.identity_provider.settings import Settings

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
AUDIENCE = "sigstore"  # whom a program's own token is for, besides itself
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, 4.1
_WORDS = {
    "authorization_pending": "nobody has let the device in yet",
    "slow_down": "asked too often",
    "access_denied": "refused on the page",
    "expired_token": "nobody let the device in in time",
    "invalid_grant": "the code is unknown or was used",
}


class Exchange:
    """Gives tokens for codes and passwords."""

    def __init__(
        self, settings: Settings, people: People, tokens: Tokens, codes: Codes, devices: Devices
    ) -> None:
        self._settings, self._clients = settings, settings.by_id
        self._people, self._tokens, self._codes, self._devices = people, tokens, codes, devices

    def answer(self, request: Request, clock: Clock) -> Response:
        """Answer a request for a token (RFC 6749, 3.2).

        Raises:
            GrantError: it is refused.
        """
        form = read_form(request)
        grant = form.needed("grant_type")
        if grant == "client_credentials":
            made, scope = self._for_program(request, form)
        elif grant in ("authorization_code", DEVICE_GRANT):
            client, secret = client_login(request, form)
            if client not in self._clients or secret:  # none of them has one
                raise GrantError("invalid_client", "no such client", status=401)
            if grant == DEVICE_GRANT:
                made, scope = self._for_device(form, client, clock)
            else:
                made, scope = self._for_code(form, client, clock)
        else:
            raise GrantError("unsupported_grant_type", f"not given here: {grant[:80]}")
        return self._given(made, scope)

    def _given(self, made: Made, scope: frozenset[str]) -> Response:
        body = {
            "access_token": made.token,
            "token_type": "Bearer",
            "expires_in": self._settings.token_seconds,
            "id_token": made.token,
            "scope": " ".join(sorted(scope & {"openid", "email"})),
        }
        return Response(status=200, headers=(JSON, *NOT_KEPT), body=strict_json.compact(body))

    def _for_code(self, form: Fields, client: str, clock: Clock) -> tuple[Made, frozenset[str]]:
        """RFC 6749, 4.1.3, RFC 7636, 4.6. Whatever is wrong with the rest, the code is used up: no second guess."""
        planned = self._tokens.plan()
        code = form.needed("code")
        grant = self._codes.take(code, planned.id, planned.until, clock())
        if grant is None:
            raise GrantError("invalid_grant", _WORDS["invalid_grant"])
        if grant.client != client or grant.redirect != form.get("redirect_uri"):
            raise GrantError(
                "invalid_grant", "the code was given to another client or redirect_uri"
            )
        _check_verifier(grant.challenge, form.get("code_verifier"))
        more: dict[str, Json] = {"auth_time": int(grant.signed_in.timestamp())}
        if grant.nonce:
            more["nonce"] = grant.nonce
        person = self._still_there(grant.person)
        return self._tokens.issue(planned, person, (client,), grant.scope, more), grant.scope

    def _for_device(self, form: Fields, client: str, clock: Clock) -> tuple[Made, frozenset[str]]:
        """RFC 8628, 3.4; with PKCE where the device began with it, as cosign does."""
        device = self._devices.poll(form.needed("device_code"), client, clock())
        if isinstance(device, str):
            raise GrantError(device, _WORDS[device])
        if device.asked.challenge:
            _check_verifier(device.asked.challenge, form.get("code_verifier"))
        person, scope = self._still_there(device.person), device.asked.scope
        more: dict[str, Json] = {"auth_time": int(device.signed_in.timestamp())}
        return self._tokens.issue(self._tokens.plan(), person, (client,), scope, more), scope

    def _for_program(self, request: Request, form: Fields) -> tuple[Made, frozenset[str]]:
        """RFC 6749, 4.4: an account's name and password; the token is for Sigstore, and for the account itself.

        cosign checks that a token is for the client that it used (``--fulcio-auth-flow client_credentials``).
        """
        name, password = client_login(request, form)
        scope = form.words("scope") or frozenset(("openid", "email"))
        try:
            person = self._people.sign_in(name, password, request.client, page=False)
        except UnavailableError as error:
            status = 429 if isinstance(error, TooManyError) else 503
            raise GrantError("temporarily_unavailable", str(error), status=status) from None
        if person is None:
            raise GrantError("invalid_client", "the name or the secret is wrong", status=401)
        audience: Sequence[str] = (AUDIENCE, name)
        return self._tokens.issue(self._tokens.plan(), person, audience, scope, {}), scope

    def _still_there(self, name: str) -> Person:
        person = self._people.find(name)
        if person is None:
            raise GrantError("invalid_grant", "the account is gone")
        return person


def _check_verifier(challenge: str, verifier: str) -> None:
    if not _VERIFIER.fullmatch(verifier):
        raise GrantError("invalid_grant", "code_verifier is missing, or none")
    made = encode_base64url(sha256(verifier.encode()).digest())
    if not hmac.compare_digest(made, challenge):
        raise GrantError("invalid_grant", "code_verifier is another one")
