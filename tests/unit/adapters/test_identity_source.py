"""Which token is taken, in which order, and where nobody can sign in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from countermark.adapters.ambient_tokens import AmbientTokens
from countermark.adapters.http_client import HttpClient
from countermark.adapters.identity_source import IdentitySource, Wanted
from countermark.adapters.oidc_flows import OidcFlows
from countermark.core.errors import Code, InputError, RefusedError
from countermark.proofs import token_keys, tokens

KEY = token_keys.generate()
TOKEN = tokens.issue({"iss": "https://i.test", "sub": "given"}, KEY)
AMBIENT = tokens.issue({"iss": "https://i.test", "sub": "ambient"}, KEY)


class Flows:
    """Says which way was taken."""

    def browser(self) -> str:
        return "browser"

    def device(self) -> str:
        return "device"

    def program(self) -> str:
        return "program"


class Person:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def told(self, text: str) -> None:
        self.lines.append(text)

    told_code = told

    def ask(self, prompt: str) -> str:
        raise AssertionError(prompt)

    def open_browser(self, url: str) -> str:
        raise AssertionError(url)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


class Case:
    """One source, and what it did."""

    def __init__(
        self, client: HttpClient, folder: Path, wanted: Wanted, **environment: str
    ) -> None:
        self.person, self.agreed = Person(), 0
        ambient = AmbientTokens(
            client,
            environment,
            token_file=str(folder / "none"),
            machine_file=str(folder / "none"),
            google=lambda _: None,
        )

        def flows() -> OidcFlows:
            return Flows()  # type: ignore[return-value]

        def agree() -> None:
            self.agreed += 1

        def read(path: str) -> bytes | None:
            file = folder / path
            return file.read_bytes() if file.exists() else None

        self.source = IdentitySource(wanted, ambient, flows, self.person, read, agree)


@pytest.mark.parametrize(
    ("wanted", "environment", "found"),
    [
        (Wanted(given=TOKEN), {}, TOKEN),
        (Wanted(given=TOKEN), {"SIGSTORE_ID_TOKEN": AMBIENT}, TOKEN),
        (Wanted(given="token"), {}, TOKEN),
        (Wanted(), {"SIGSTORE_ID_TOKEN": AMBIENT, "GITLAB_CI": "true"}, AMBIENT),
        (Wanted(interactive=True), {"SIGSTORE_ID_TOKEN": AMBIENT}, AMBIENT),
        (Wanted(without_ambient=True), {"SIGSTORE_ID_TOKEN": AMBIENT}, "device"),
        (Wanted(), {}, "device"),
        (Wanted(interactive=True), {}, "browser"),
        (Wanted(interactive=True), {"CI": "true"}, "browser"),
        (Wanted(flow="normal"), {}, "browser"),
        (Wanted(flow="device", interactive=True), {}, "device"),
        (Wanted(flow="device"), {"CI": "true"}, "device"),
        (Wanted(flow="client_credentials"), {"CI": "true"}, "program"),
        (Wanted(flow="client_credentials"), {"SIGSTORE_ID_TOKEN": AMBIENT}, "program"),
    ],
)
def test_what_is_taken(
    client: HttpClient, tmp_path: Path, wanted: Wanted, environment: dict[str, str], found: str
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    case = Case(client, tmp_path, wanted, **environment)
    assert case.source.token() == found
    assert case.agreed == int(found == "browser" and not wanted.flow)
    asks = found == "device" and not wanted.flow
    assert case.person.lines == (
        ["Non-interactive mode detected, using device flow."] if asks else []
    )


@pytest.mark.parametrize(
    ("wanted", "environment", "error", "hint"),
    [
        (Wanted(), {"CI": "true"}, RefusedError, "--identity-token"),
        (Wanted(), {"GITHUB_ACTIONS": "true"}, RefusedError, "id-token: write"),
        (Wanted(flow="device"), {"GITHUB_ACTIONS": "true"}, RefusedError, "id-token: write"),
        (Wanted(), {"GITLAB_CI": "true"}, RefusedError, "SIGSTORE_ID_TOKEN"),
        (Wanted(), {"BUILDKITE": "true"}, RefusedError, "BUILDKITE_AGENT_ACCESS_TOKEN"),
        (Wanted(flow="token"), {}, InputError, ""),
        (Wanted(provider="filesystem"), {}, InputError, ""),
        (Wanted(provider="nosuch"), {}, InputError, "envvar, filesystem"),
        (Wanted(given="none"), {}, InputError, ""),
        (Wanted(given="bad"), {}, InputError, ""),
        (Wanted(given="\0"), {}, InputError, ""),
        (Wanted(), {"SIGSTORE_ID_TOKEN": "no token"}, InputError, ""),
    ],
)
def test_what_is_refused(
    client: HttpClient,
    tmp_path: Path,
    wanted: Wanted,
    environment: dict[str, str],
    error: type[InputError | RefusedError],
    hint: str,
) -> None:
    (tmp_path / "bad").write_text("no token")
    case = Case(client, tmp_path, wanted, **environment)
    with pytest.raises(error) as caught:
        case.source.token()
    assert hint in caught.value.hint
    assert case.person.lines == []


def test_tokens_stand_nowhere() -> None:
    broken = TOKEN[:-20] + "!" * 20
    assert TOKEN not in repr(Wanted(given=TOKEN))
    with pytest.raises(InputError) as caught:
        IdentitySource(
            Wanted(given=broken),
            None,  # type: ignore[arg-type]
            lambda: None,  # type: ignore[arg-type, return-value]
            Person(),
            lambda _: None,
        ).token()
    assert broken not in str(caught.value)
    assert "(a text that is no identity token)" in str(caught.value)


def test_an_unknown_flow() -> None:
    with pytest.raises(InputError, match="unsupported oauth flow: zz"):
        Wanted(flow="zz")


# What CI systems answer -------------------------------------------------------------------------------------


def github(url: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2",
    }


def buildkite(url: str) -> dict[str, str]:
    return {
        "BUILDKITE_AGENT_ACCESS_TOKEN": "secret",
        "BUILDKITE_JOB_ID": "job/1",
        "BUILDKITE_AGENT_ENDPOINT": f"{url}/v3",
    }


def test_github_and_buildkite_are_asked(client: HttpClient, tmp_path: Path) -> None:
    body = f'{{"value":"{AMBIENT}","token":"{AMBIENT}"}}'.encode()
    with servers.Server(servers.always(servers.answer(200, body))) as server:
        for variables in (github(server.url.rstrip("/")), buildkite(server.url.rstrip("/"))):
            assert Case(client, tmp_path, Wanted(), **variables).source.token() == AMBIENT
        one, two = server.asked
    assert (one.method, one.target) == ("GET", "/token?api-version=2&audience=sigstore")
    assert one.header("authorization") == "bearer secret"
    assert (two.method, two.target) == ("POST", "/v3/jobs/job%2F1/oidc/tokens")
    assert two.header("authorization") == "Token secret"
    assert b'"audience":"sigstore"' in two.body.replace(b" ", b"")


@pytest.mark.parametrize("variables", [github, buildkite])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_they_say_no(client: HttpClient, tmp_path: Path, variables: object, status: int) -> None:
    with servers.Server(servers.always(servers.answer(status, b"secret"))) as server:
        made = variables(server.url.rstrip("/"))  # type: ignore[operator]
        with pytest.raises(RefusedError) as caught:
            Case(client, tmp_path, Wanted(), **made).source.token()
    assert "secret" not in str(caught.value) + caught.value.hint


def test_a_token_is_not_sent_in_the_clear(client: HttpClient, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Case(client, tmp_path, Wanted(), **github("http://192.0.2.1")).source.token()
    assert caught.value.code == Code.INSECURE


def test_a_file_and_a_machine_of_googles(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(AMBIENT + "\n")
    (tmp_path / "machine").write_text("Google Compute Engine\n")
    made = AmbientTokens(
        client, {}, token_file=str(tmp_path / "file"), machine_file=str(tmp_path / "none")
    )
    assert made.token("sigstore") == AMBIENT
    asked: list[str] = []

    def google(audience: str) -> str:
        asked.append(audience)
        return AMBIENT

    made = AmbientTokens(
        client,
        {},
        token_file=str(tmp_path / "none"),
        machine_file=str(tmp_path / "machine"),
        google=google,
    )
    assert made.token("sigstore") == AMBIENT
    assert asked == ["sigstore"]


def circleci(tmp_path: Path, script: str) -> dict[str, str]:
    program = tmp_path / "circleci"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"CIRCLECI": "true", "PATH": f"{tmp_path}:/usr/bin:/bin"}


def test_circlecis_program_is_asked(client: HttpClient, tmp_path: Path) -> None:
    environment = circleci(tmp_path, f'echo "$*" > {tmp_path}/words; echo {AMBIENT}')
    ambient = AmbientTokens(client, environment, token_file=str(tmp_path / "none"))
    assert ambient.token("sigstore") == AMBIENT
    words = (tmp_path / "words").read_text()
    assert words == 'run oidc get --root-issuer --claims {"aud":"sigstore"}\n'


@pytest.mark.parametrize("script", ["exit 3", None])
def test_circlecis_program_gives_none(
    client: HttpClient, tmp_path: Path, script: str | None
) -> None:
    environment = circleci(tmp_path, script or "")
    if script is None:
        (tmp_path / "circleci").unlink()
    ambient = AmbientTokens(client, environment, token_file=str(tmp_path / "none"))
    with pytest.raises(RefusedError, match="CircleCI's program gives no identity token") as caught:
        ambient.token("sigstore")
    assert "context" in caught.value.hint
