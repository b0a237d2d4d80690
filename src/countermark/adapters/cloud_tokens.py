"""Access tokens of Google's and Microsoft's clouds, for their key services.

Google: CLOUDSDK_AUTH_ACCESS_TOKEN or GOOGLE_OAUTH_ACCESS_TOKEN, a file of a service account or of ``gcloud auth
application-default login``, or the program ``gcloud``. Microsoft: a client's secret or federated token
(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE), or the program ``az``. The
metadata servers of both clouds' machines speak plain http to an address that is not loopback, and so are not asked.

Tested against servers of our own that speak these protocols, not against the clouds.
"""

import shutil

from countermark.adapters import key_services, process, storage
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url, quote
from countermark.core import limits
from countermark.core.errors import Code, KeyAccessError, MalformedError
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader
from countermark.proofs import cosign_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.http_client import HttpClient
    from countermark.core.ports import Clock

_GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloudkms"
_GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523
_JWT_SECONDS = 3600
_UNSAID_SECONDS = 300  # where nobody says how long a token holds
_MICROSOFT = "https://login.microsoftonline.com"
_CLOUDS = {
    "AZUREUSGOVERNMENT": "https://login.microsoftonline.us",
    "AZUREUSGOVERNMENTCLOUD": "https://login.microsoftonline.us",
    "AZURECHINACLOUD": "https://login.chinacloudapi.cn",
}
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def _asked(client: "HttpClient", address: str, fields: dict[str, str], who: str) -> tuple[str, int]:
    request = HttpRequest(
        method="POST",
        url=Url.parse(address),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=key_services.form(fields),
    )
    return key_services.token_of(key_services.ask(client, request, who), who)


def _printed(command: list[str], environment: "Mapping[str, str]") -> str:
    """Take the token that another program prints."""
    done = process.run(command, environment=environment)
    text = done.output.decode("latin-1").strip()
    if done.status or not text or not text.isascii():
        raise KeyAccessError(f"{command[0]} gave no access token (exit {done.status})")
    return text


class GoogleTokens:
    """Asks for tokens that open Cloud KMS."""

    def __init__(
        self, client: "HttpClient", environment: "Mapping[str, str]", home: str, clock: "Clock"
    ) -> None:
        self._client, self._environment, self._home, self._clock = client, environment, home, clock

    def fetch(self) -> tuple[str, int]:
        """Return a token, and the seconds that it holds.

        Raises:
            KeyAccessError: there are no credentials, or they are refused. UnavailableError: nobody answers.
        """
        for name in ("CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"):
            if token := self._environment.get(name):
                return token, _UNSAID_SECONDS
        named = self._environment.get("GOOGLE_APPLICATION_CREDENTIALS")
        folder = self._environment.get("CLOUDSDK_CONFIG") or f"{self._home}/.config/gcloud"
        path = named or f"{folder}/application_default_credentials.json"
        content = storage.read(path, limits.KEY_FILE_BYTES)
        if content is not None:
            return self._by_file(path, content)
        if named:
            raise KeyAccessError(f"open {path}: no such file or directory", code=Code.NOT_FOUND)
        program = shutil.which("gcloud", path=self._environment.get("PATH", ""))
        if program is None:
            raise KeyAccessError(
                "no credentials for Google Cloud",
                hint="set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login",
            )
        command = [program, "auth", "application-default", "print-access-token"]
        return _printed(command, self._environment), _UNSAID_SECONDS

    def _by_file(self, path: str, content: bytes) -> tuple[str, int]:
        try:
            file = Reader(strict_json.parse(content))
            kind = file.text("type")
            if kind == "service_account":
                address, fields = self._service_account(file)
            elif kind == "authorized_user":
                address = file.text("token_uri") if file.has("token_uri") else _GOOGLE_TOKENS
                names = ("client_id", "client_secret", "refresh_token")
                fields = {"grant_type": "refresh_token"} | {name: file.text(name) for name in names}
            else:
                raise KeyAccessError(
                    f"{path}: credentials of type {kind[:40]!r} are not supported",
                    code=Code.NOT_SUPPORTED,
                    hint="put an access token into CLOUDSDK_AUTH_ACCESS_TOKEN",
                )
        except MalformedError as error:
            raise KeyAccessError(f"{path}: {error}", code=Code.MALFORMED) from None
        return _asked(self._client, address, fields, "google's token service")

    def _service_account(self, file: Reader) -> tuple[str, dict[str, str]]:
        """The request that exchanges an assertion signed with the account's key for a token (RFC 7523)."""
        address = file.text("token_uri")
        issued = int(self._clock().timestamp())
        header = {"alg": "RS256", "typ": "JWT", "kid": file.text("private_key_id")}
        claims = {
            "iss": file.text("client_email"),
            "scope": _GOOGLE_SCOPE,
            "aud": address,
            "iat": issued,
            "exp": issued + _JWT_SECONDS,
        }
        parts = [key_services.url_base64(strict_json.compact(part)) for part in (header, claims)]
        key = cosign_keys.import_pem(file.text("private_key").encode())
        if key.public.kind != "rsa":
            raise MalformedError("private_key is no RSA key")
        parts.append(key_services.url_base64(key.sign(".".join(parts).encode())))
        return address, {"grant_type": _JWT_GRANT, "assertion": ".".join(parts)}


class MicrosoftTokens:
    """Asks for tokens that open one cloud's Key Vaults; ``resource`` is as ``https://vault.azure.net``."""

    def __init__(
        self, client: "HttpClient", environment: "Mapping[str, str]", resource: str
    ) -> None:
        self._client, self._environment, self._resource = client, environment, resource

    def fetch(self) -> tuple[str, int]:
        """Return a token, and the seconds that it holds.

        Raises:
            As ``GoogleTokens.fetch``.
        """
        environment = self._environment
        tenant, client_id = environment.get("AZURE_TENANT_ID"), environment.get("AZURE_CLIENT_ID")
        method = environment.get("AZURE_AUTH_METHOD", "").lower()
        if tenant and client_id and method != "cli" and (proof := self._proof()):
            cloud = _CLOUDS.get(environment.get("AZURE_ENVIRONMENT", "").upper(), _MICROSOFT)
            base = (environment.get("AZURE_AUTHORITY_HOST") or cloud).rstrip("/")
            fields = {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "scope": f"{self._resource}/.default",
            }
            address = f"{base}/{quote(tenant)}/oauth2/v2.0/token"
            return _asked(self._client, address, fields | proof, "microsoft's token service")
        program = shutil.which("az", path=environment.get("PATH", ""))
        if program is None or method == "environment":
            raise KeyAccessError(
                "no credentials for Azure",
                hint="set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run az login",
            )
        command = [program, "account", "get-access-token", "--resource", self._resource]
        text = _printed([*command, "--query", "accessToken", "--output", "tsv"], environment)
        return text, _UNSAID_SECONDS

    def _proof(self) -> dict[str, str]:
        """What shows that we are the client; empty where there is nothing."""
        if secret := self._environment.get("AZURE_CLIENT_SECRET"):
            return {"client_secret": secret}
        path = self._environment.get("AZURE_FEDERATED_TOKEN_FILE")
        if not path:
            return {}
        content = storage.read(path, limits.TOKEN_BYTES)
        if content is None:
            raise KeyAccessError(f"open {path}: no such file or directory", code=Code.NOT_FOUND)
        token = content.decode("latin-1").strip()
        return {"client_assertion_type": _ASSERTION, "client_assertion": token}
