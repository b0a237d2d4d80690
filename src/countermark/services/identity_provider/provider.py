"""The OpenID issuer as a service: what it says of itself, its keys, and which path answers what."""

from collections.abc import Callable

from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import ServiceKeys
from countermark.formats import strict_json
from countermark.services.identity_provider.authorization import Authorization
from countermark.services.identity_provider.browsers import Browsers
from countermark.services.identity_provider.device_flow import DeviceFlow
from countermark.services.identity_provider.exchange import AUDIENCE, DEVICE_GRANT, Exchange
from countermark.services.identity_provider.forms import JSON, GrantError, refusal
from countermark.services.identity_provider.grants import Codes, Devices
from countermark.services.identity_provider.issuing import ALGORITHM, Tokens
from countermark.services.identity_provider.people import People
from countermark.services.identity_provider.settings import Settings
from countermark.services.identity_provider.signing_in import SigningIn
from countermark.services.identity_tokens.issuer_keys import DISCOVERY_PATH
from countermark.services.identity_tokens.issuers import Issuer

_PUBLIC = ("Cache-Control", "public, max-age=600")  # keys are published a day before they sign
_Answer = Callable[[Request], Response]


class IdentityProvider:
    """An OpenID issuer for Sigstore's clients.

    Its state is in this process's memory: a second process behind the same address would not know its codes.

    Args:
        settings: how it behaves.
        keys: where its signing keys lie.
        people: who may sign in.
        clock: the time.
        secret: a random key of this process.
    """

    def __init__(
        self, settings: Settings, keys: ServiceKeys, people: People, clock: Clock, secret: bytes
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._tokens = Tokens(settings, keys, clock)
        self._codes = Codes()
        devices = Devices(settings.device_seconds, settings.poll_seconds)
        browsers = Browsers(settings, secret)
        signing_in = SigningIn(people, browsers, clock)
        self._pages = Authorization(settings, browsers, signing_in, self._codes, clock)
        self._device_flow = DeviceFlow(settings, browsers, signing_in, devices, clock)
        self._exchange = Exchange(settings, people, self._tokens, self._codes, devices)
        self._discovery = strict_json.compact(self._about())
        self._answers: dict[str, dict[str, _Answer]] = self._routes()

    def serves(self, path: str) -> bool:
        """Say whether a path is ours."""
        return path in self._answers

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        methods = self._answers.get(request.path)
        if methods is None:
            return Response(status=404)
        answer = methods.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            return Response(status=405, headers=(("Allow", ", ".join(methods)),))
        try:
            return answer(request)
        except GrantError as error:
            return refusal(error)

    def key_set(self) -> bytes:
        """The keys that its tokens are checked with, for those in this process who believe it."""
        return self._tokens.key_set()

    def withdrawn(self, issuer: str, token_id: str) -> bool:
        """Say whether it has taken a token of its own back, since its code was used twice."""
        return issuer == self.settings.issuer and self._codes.is_withdrawn(token_id)

    def believed(self) -> Issuer:
        """What a certificate authority needs to believe it: its tokens name e-mail addresses."""
        return Issuer(url=self.settings.issuer, audience=AUDIENCE, kind="email")

    def check(self) -> None:
        """Ask whether it could make a token now; raises what making one would."""
        self._tokens.key_set()

    def _routes(self) -> dict[str, dict[str, _Answer]]:
        clock = self._clock
        routes: dict[str, dict[str, _Answer]] = {
            DISCOVERY_PATH: {"GET": lambda _: _document(self._discovery)},
            "/keys": {"GET": lambda _: _document(self._tokens.key_set())},
            "/authorize": {"GET": self._pages.begin, "POST": self._pages.begin},
            "/sign-in": {"POST": self._pages.finish},
            "/token": {"POST": lambda request: self._exchange.answer(request, clock)},
            "/device/code": {"POST": self._device_flow.begin},
            "/device": {"GET": self._device_flow.show, "POST": self._device_flow.finish},
        }
        return {f"{self.settings.path}{path}": methods for path, methods in routes.items()}

    def _about(self) -> dict[str, object]:
        """OpenID Connect Discovery, 3; RFC 8414; RFC 8628, 4; RFC 9207, 3.

        cosign wants to see S256 and the device endpoint here before it begins.
        """
        url = self.settings.issuer
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "device_authorization_endpoint": f"{url}/device/code",
            "jwks_uri": f"{url}/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", DEVICE_GRANT, "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "scopes_supported": ["openid", "email"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "jti", "azp", "nonce", "auth_time",
                "email", "email_verified",
            ],
            "token_endpoint_auth_methods_supported": [
                "none", "client_secret_basic", "client_secret_post",
            ],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }  # fmt: skip


def _document(content: bytes) -> Response:
    return Response(status=200, headers=(JSON, _PUBLIC), body=content)
