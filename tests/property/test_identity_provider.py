"""Laws of our issuer: whatever a stranger sends gets an answer, leads to no place of theirs, and gives no token."""

from urllib.parse import urlencode, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from countermark.core.errors import InputError
from countermark.core.ports_hosting import Request, Response
from countermark.services.identity_provider.forms import Fields, GrantError
from countermark.services.identity_provider.settings import SIGSTORE
from identity import (
    ALICE,
    CALLBACK,
    CHALLENGE,
    FORM,
    VERIFIER,
    Body,
    Issuer,
    header,
    request_of_cosign,
)

ISSUER = Issuer()
PATHS = sorted(ISSUER.provider._answers)
NAMES = st.sampled_from(
    (
        "client_id", "client_secret", "redirect_uri", "response_type", "scope", "state", "nonce", "code", "prompt",
        "code_challenge", "code_challenge_method", "code_verifier", "grant_type", "device_code", "user_code",
        "request", "decision", "known", "name", "password", "max_age", "login_hint", "response_mode",
    )
)  # fmt: skip
VALUES = st.sampled_from(
    (
        "sigstore", CALLBACK, "code", "openid email", "S256", "plain", CHALLENGE, VERIFIER, "allow", "deny",
        "sign-out", "yes", ALICE, "authorization_code", "client_credentials", "none", "login", "0",
        "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:wg:oauth:2.0:oob", "https://evil.example/",
    )
) | st.text(max_size=30)  # fmt: skip
FIELDS = st.dictionaries(NAMES, VALUES, max_size=8)
HEADERS = st.dictionaries(
    st.sampled_from(
        ("authorization", "cookie", "origin", "sec-fetch-site", "content-type", "host")
    ),
    st.sampled_from((FORM, "Basic c2lnc3RvcmU6", "Bearer x", "null")) | st.text(max_size=30),
)


def ask(request: Request) -> Response | None:
    try:
        return ISSUER.provider.answer(request)
    except InputError:  # the HTTP server's own words for it
        return None


def is_harmless(answer: Response | None) -> bool:
    """No token, and no way to a place that is not registered."""
    if answer is None:
        return True
    location = header(answer, "location").partition("?")[0]
    body = answer.body if isinstance(answer.body, bytes) else b""
    return b'id_token":' not in body and (not location or SIGSTORE.allows(location))


@given(
    st.sampled_from(("GET", "POST", "HEAD", "PUT", "OPTIONS")),
    st.sampled_from(PATHS),
    FIELDS,
    HEADERS,
    st.booleans(),
)
def test_any_request(
    method: str, path: str, fields: dict[str, str], headers: dict[str, str], is_form: bool
) -> None:
    sent = urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in fields.items()})
    headers |= {"content-type": FORM} if is_form else {}
    body = Body(sent.encode())
    answer = ask(Request(method=method, path=path, query=sent, headers=headers, body=body))
    assert is_harmless(answer)


@given(NAMES, VALUES)
def test_one_parameter_of_a_good_request_may_be_anything(name: str, value: str) -> None:
    fields = request_of_cosign() | {name: value}
    answer = ask(
        Request(
            method="GET",
            path="/identity/authorize",
            query=urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in fields.items()}),
            headers={},
            body=Body(b""),
        )
    )
    assert answer is not None
    assert answer.status in (200, 303, 400)
    assert is_harmless(answer)


@given(st.binary(max_size=100), HEADERS)
def test_any_body(body: bytes, headers: dict[str, str]) -> None:
    for path in PATHS:
        given_headers = headers | {"content-type": FORM}
        asked = Request(method="POST", path=path, query="", headers=given_headers, body=Body(body))
        assert is_harmless(ask(asked))


@given(st.text(max_size=100))
def test_any_query(text: str) -> None:
    try:
        fields = Fields(text)
    except GrantError as error:
        if error.word != "invalid_request":
            raise
    else:
        assert fields.get("never") == ""


@given(st.text(max_size=60) | st.from_regex(r"http://[a-z0-9.:@\[\]\\/-]{0,40}", fullmatch=True))
def test_codes_go_to_this_machine_or_a_page_of_ours(redirect: str) -> None:
    if SIGSTORE.allows(redirect) and redirect != "urn:ietf:wg:oauth:2.0:oob":
        parts = urlsplit(redirect)
        assert parts.scheme == "http"
        assert parts.hostname in ("localhost", "127.0.0.1", "::1")
        assert parts.port
        assert not parts.query
        assert parts.username is None
