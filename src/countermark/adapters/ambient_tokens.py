"""Identity tokens that the place we run in gives: CI systems, clouds, a SPIFFE agent, a variable, a file.

Where each comes from: sigstore ``pkg/providers``, the PyPI package ``id`` (specs: cosign, 1.4). A place that should
give one and does not says which permission is missing: the device flow, which cosign falls back to there, waits for
somebody who never comes.
"""

from countermark.adapters import process, storage
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url, quote
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    RefusedError,
    UnavailableError,
)
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from countermark.adapters.http_client import HttpClient

TOKEN_FILE = "/var/run/sigstore/cosign/oidc-token"  # noqa: S105 - a path
_BUILDKITE = "https://agent.buildkite.com/v3"
_GOOGLE_MACHINE = "/sys/class/dmi/id/product_name"
_GOOGLE_NAMES = (b"Google", b"Google Compute Engine")
_CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "JENKINS_URL", "TF_BUILD")


class AmbientTokens:
    """Asks the place for a token. What it gets opens whatever believes in it, and stands in no message."""

    def __init__(
        self,
        client: "HttpClient",
        environment: "Mapping[str, str]",
        *,
        token_file: str = TOKEN_FILE,
        machine_file: str = _GOOGLE_MACHINE,
        google: "Callable[[str], str | None] | None" = None,
    ) -> None:
        """Take the environment's variables; ``google`` asks a machine of Google's, None for the package ``id``."""
        self._client, self._environment = client, environment
        self._token_file, self._machine_file = token_file, machine_file
        self._google = google or _asked_by_id
        # the most deliberate first
        self._providers: dict[str, Callable[[str], str | None]] = {
            "envvar": self._variable,
            "filesystem": self._file,
            "github-actions": self._github,
            "gitlab": self._gitlab,
            "buildkite-agent": self._buildkite,
            "circleci": self._circleci,
            "spiffe": self._spiffe,
            "google": self._google_machine,
            "google-workload-identity": self._google_machine,
            "google-impersonate": self._google_machine,
        }

    @property
    def ci(self) -> str:
        """The variable that says that we run in a CI system, "" where none does."""
        for name in _CI:
            if self._environment.get(name, "").lower() not in ("", "false", "0"):
                return name
        return ""

    def token(self, audience: str, provider: str = "") -> str | None:
        """Return a token for an audience, from one provider or from the first that is there; None for none.

        Raises:
            InputError: no such provider, or what it gave is no token. RefusedError: it is there and may not give one;
                the hint names the permission. UnavailableError: it does not answer.
        """
        if provider and provider not in self._providers:
            known = ", ".join(self._providers)
            raise InputError(
                f"no such provider of identity tokens: {provider[:60]!r}",
                hint=f"these are: {known}",
            )
        for name in (provider,) if provider else self._providers:
            found = self._providers[name](audience)
            if found is not None:
                return _plausible(found.strip(), name)
        return None

    # What lies about ----------------------------------------------------------------------------------

    def _variable(self, audience: str) -> str | None:
        del audience  # whoever set it chose
        return self._environment.get("SIGSTORE_ID_TOKEN") or None

    def _file(self, audience: str) -> str | None:
        del audience
        content = storage.read(self._token_file, limits.TOKEN_BYTES)
        return content.decode("utf-8", "replace") if content is not None else None

    # CI systems ---------------------------------------------------------------------------------------

    def _github(self, audience: str) -> str | None:
        """Ask GitHub Actions, whose job needs a permission for it."""
        get = self._environment.get
        token, url = (
            get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
            get("ACTIONS_ID_TOKEN_REQUEST_URL"),
        )
        if not token or not url:
            if self._is("GITHUB_ACTIONS"):
                raise _not_allowed(
                    "GitHub Actions gives this job no identity token",
                    "write 'permissions: {id-token: write}' into the workflow or job; "
                    "jobs of a pull request from a fork never get one",
                )
            return None
        headers = {"Authorization": f"bearer {token}", "Accept": "application/json"}
        asked = Url.parse(url).with_query(("audience", audience))
        request = HttpRequest(
            method="GET", url=asked, headers=headers, max_bytes=limits.TOKEN_BYTES
        )
        return self._json(request, "GitHub Actions").text("value")

    def _gitlab(self, audience: str) -> str | None:
        """GitLab puts it into SIGSTORE_ID_TOKEN, where the job says so."""
        if not self._is("GITLAB_CI"):
            return None
        raise _not_allowed(
            "GitLab gives this job no identity token",
            f"write 'id_tokens: {{SIGSTORE_ID_TOKEN: {{aud: {audience}}}}}' into the job",
        )

    def _buildkite(self, audience: str) -> str | None:
        """Ask Buildkite's API with the token that the agent gives its jobs."""
        get = self._environment.get
        token, job = get("BUILDKITE_AGENT_ACCESS_TOKEN"), get("BUILDKITE_JOB_ID")
        if not token or not job:
            if self._is("BUILDKITE"):
                raise _not_allowed(
                    "Buildkite's agent gives this job no access token",
                    "the agent has to pass BUILDKITE_AGENT_ACCESS_TOKEN and BUILDKITE_JOB_ID on to it",
                )
            return None
        endpoint = (get("BUILDKITE_AGENT_ENDPOINT") or _BUILDKITE).rstrip("/")
        request = HttpRequest(
            method="POST",
            url=Url.parse(f"{endpoint}/jobs/{quote(job)}/oidc/tokens"),
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
            body=strict_json.compact({"audience": audience}),
            max_bytes=limits.TOKEN_BYTES,
            harmless_twice=True,
        )
        return self._json(request, "Buildkite").text("token")

    def _circleci(self, audience: str) -> str | None:
        """Ask CircleCI's program, which is in all of its jobs."""
        if not self._is("CIRCLECI"):
            return None
        claims = strict_json.compact({"aud": audience}).decode()
        command = ["circleci", "run", "oidc", "get", "--root-issuer", "--claims", claims]
        try:
            done = process.run(command, environment=self._environment)
        except CountermarkError as error:
            raise _not_allowed(
                f"CircleCI's program gives no identity token: {error}",
                "the job needs the program circleci, and a context",
            ) from None
        if done.status:
            raise _not_allowed(
                f"CircleCI's program gives no identity token (exit {done.status})",
                "jobs get one only where they have a context",
            )
        return done.output.decode("utf-8", "replace")

    # Workloads and clouds -------------------------------------------------------------------------------

    def _spiffe(self, audience: str) -> str | None:
        """Ask a SPIFFE agent on its socket."""
        address = self._environment.get("SPIFFE_ENDPOINT_SOCKET")
        if not address:
            return None
        from countermark.adapters import spiffe_socket  # noqa: PLC0415 - where there is an agent

        return spiffe_socket.token(address, audience)

    def _google_machine(self, audience: str) -> str | None:
        """Ask the metadata server of a machine of Google's, through the package that knows how."""
        named = self._environment.get("GOOGLE_SERVICE_ACCOUNT_NAME")
        if (
            not named
            and (storage.read(self._machine_file, 256) or b"").strip() not in _GOOGLE_NAMES
        ):
            return None
        return self._google(audience)

    # Shared -------------------------------------------------------------------------------------------

    def _is(self, name: str) -> bool:
        return self._environment.get(name, "").lower() in ("true", "1")

    def _json(self, request: HttpRequest, who: str) -> Reader:
        try:
            answer = self._client.request(request)
        except UnavailableError as error:
            raise UnavailableError(f"{who} gives no identity token: {error}") from None
        if answer.status not in (200, 201):
            text = f"{who} gives no identity token: HTTP status {answer.status}"
            if answer.status == 429 or answer.status >= 500:
                raise UnavailableError(text, status=answer.status)
            raise RefusedError(
                text, status=answer.status, hint="is this job allowed to have identity tokens?"
            )
        return Reader(strict_json.parse(answer.content, max_bytes=limits.TOKEN_BYTES))


def _not_allowed(text: str, hint: str) -> RefusedError:
    return RefusedError(text, status=403, code=Code.TOKEN, hint=hint)


def _plausible(token: str, provider: str) -> str:
    """Refuse what is no token at all, before anything is sent with it."""
    from countermark.proofs import tokens  # noqa: PLC0415 - where there is a token

    try:
        tokens.unverified_claims(token)
    except EvidenceError as error:
        raise InputError(f"the identity token from {provider}: {error}", code=Code.TOKEN) from None
    return token


def _asked_by_id(audience: str) -> str | None:
    import id as ambient  # noqa: PLC0415 - loads urllib3, where a machine is Google's

    try:
        return ambient.detect_credential(audience)
    except ambient.IdentityError as error:
        raise UnavailableError(f"this machine gives no identity token: {error}") from None
