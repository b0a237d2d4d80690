"""What a believed token's claims name: an address, a workflow, a service account, a URI, a user of a domain.

The rules are Fulcio's (``pkg/identity``, v1.8.8), stricter where a claim that is empty or odd would make a name that
somebody could mistake for another.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, quote, urlsplit

from countermark.core.errors import Code, EvidenceError
from countermark.core.ports_sigstore import Principal
from countermark.formats.strict_json import Json
from countermark.services.identity_tokens.issuers import Issuer
from countermark.services.identity_tokens.providers import Provider

Claims = Mapping[str, Json]

_ISSUER, _ISSUER_TEXT, _SUBJECT = 1, 8, 24  # Fulcio's extensions that every certificate has
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# an rfc822Name is ASCII (RFC 5280, 4.2.1.6); a domain of one label is a host of one's own network
_EMAIL = re.compile(rf"(?=.{{3,254}}\Z){_LOCAL}@{_LABEL}(\.{_LABEL})*")
_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((/[A-Za-z0-9._-]+)+)")
# RFC 1123, as Kubernetes has it
_KUBERNETES_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_URI_CHARS = (
    "!#$%&'()*+,/:;=?@[]~"  # besides letters, digits, "-._": RFC 3986, 2.2, and "%" of escapes
)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def is_email(text: str) -> bool:
    """Say whether a text is an e-mail address that a certificate can name."""
    return _EMAIL.fullmatch(text) is not None


def principal(issuer: Issuer, claims: Claims) -> Principal:
    """Read whom claims name, which have been checked for this issuer.

    Raises:
        EvidenceError: ``token``, they name nobody that this kind of issuer may name.
    """
    url, subject = _text(claims, "iss"), _text(claims, "sub")
    texts: dict[int, str] = {}
    kind = "uri"
    if issuer.claims_provider is not None:
        name, texts = _provided(issuer.claims_provider, claims)
    elif issuer.kind == "email":
        kind, name = "email", _email(issuer, claims)
        url = _true_issuer(issuer, claims)
    elif issuer.kind == "username":
        kind, name = "username", _username(issuer, subject)
    else:
        name = _NAMES[issuer.kind](issuer, claims)
    texts |= {_ISSUER: url, _ISSUER_TEXT: url, _SUBJECT: subject}
    return Principal(
        name=name,
        kind=kind,
        challenge=_challenge(issuer, claims),
        issuer=url,
        extensions=dict(sorted(texts.items())),
        token_id=_optional(claims, "jti"),
    )


def _challenge(issuer: Issuer, claims: Claims) -> str:
    if issuer.kind == "chainguard-identity" and not issuer.challenge_claim:
        # clients sign the address of any token that has one, and so does this kind (Fulcio)
        return _optional(claims, "email") or _text(claims, "sub")
    return _text(claims, issuer.challenge)


def _email(issuer: Issuer, claims: Claims) -> str:
    address = _text(claims, "email")
    verified = claims.get("email_verified")
    # some issuers write a text; nothing but true is true, and 1 is not
    is_verified = verified is True or (isinstance(verified, str) and verified in ("true", "True"))
    if not is_verified and not issuer.accept_unverified_email:
        raise refused("its issuer has not verified the e-mail address")
    if not is_email(address):
        raise refused("not an e-mail address")
    return address


def _true_issuer(issuer: Issuer, claims: Claims) -> str:
    """Where somebody logged in whose login was passed on (Dex: ``$.federated_claims.connector_id``)."""
    if not issuer.issuer_claim:
        return _text(claims, "iss")
    found: Json = dict(claims)
    for name in issuer.issuer_claim:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found or not found.isprintable():
        raise refused(f"no claim {'.'.join(issuer.issuer_claim)!r} with its true issuer")
    return found


def _username(issuer: Issuer, subject: str) -> str:
    if "!" in subject or not subject.isprintable() or is_email(subject):
        raise refused("the subject is no plain user name")
    return f"{subject}!{issuer.subject_domain}"


def _uri_subject(issuer: Issuer, claims: Claims) -> str:
    subject = _text(claims, "sub")
    own = urlsplit(issuer.subject_domain)
    if is_email(subject):
        raise refused("the subject is an e-mail address, not a URI")
    parts = _parts(subject)
    if parts.scheme != own.scheme or parts.hostname != own.hostname or "@" in parts.netloc:
        raise refused("the subject is not of the issuer's domain")
    return subject


def _spiffe(issuer: Issuer, claims: Claims) -> str:
    """SPIFFE-ID, 2."""
    subject = _text(claims, "sub")
    found = _SPIFFE.fullmatch(subject)
    if found is None or len(subject) > 2048 or {".", ".."} & set(found[2].split("/")):
        raise refused("the subject is no SPIFFE identifier")
    if found[1] != issuer.trust_domain:
        raise refused("the subject is of another trust domain")
    return subject


def _kubernetes(_: Issuer, claims: Claims) -> str:
    about = claims.get("kubernetes.io")
    account = about.get("serviceaccount") if isinstance(about, dict) else None
    if not isinstance(about, dict) or not isinstance(account, dict):
        raise refused("no claim 'kubernetes.io'")
    namespace, name = _text(about, "namespace"), _text(account, "name")
    if not _KUBERNETES_NAME.fullmatch(namespace) or not _KUBERNETES_NAME.fullmatch(name):
        raise refused("not the names of a namespace and a service account")
    if _text(claims, "sub") != f"system:serviceaccount:{namespace}:{name}":
        raise refused("the subject is another service account")
    return f"https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{name}"


def _chainguard(_: Issuer, claims: Claims) -> str:
    return _uri(f"{_text(claims, 'iss').rstrip('/')}/{_text(claims, 'sub').lstrip('/')}")


_NAMES: Mapping[str, Callable[[Issuer, Claims], str]] = {
    "uri": _uri_subject,
    "spiffe": _spiffe,
    "kubernetes": _kubernetes,
    "chainguard-identity": _chainguard,
}


def _provided(provider: Provider, claims: Claims) -> tuple[str, dict[int, str]]:
    values = dict(provider.defaults)
    for name, value in claims.items():
        text = _as_text(value)
        # an empty claim would make a name of a shape that people take for something else
        if text or (text is not None and name in provider.defaults):
            values[name] = text
    for name, words in provider.choices.items():
        if values.get(name) not in words:
            raise refused(f"claim {name!r} is none of: {', '.join(words)}")
    texts = {number: t.render(values) for number, t in provider.extensions.items()}
    return _uri(provider.name.render(values)), {n: text for n, text in texts.items() if text}


def _as_text(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def _uri(text: str) -> str:
    """Write a URI as Go's ``net/url`` gives it back: what no URI has is escaped."""
    if not all(char.isprintable() for char in text):
        raise refused("a name with control characters")
    text = quote(text, safe=_URI_CHARS)
    parts = _parts(text)
    if not parts.scheme or not parts.hostname or _BROKEN_ESCAPE.search(text):
        raise refused("a name that is no URI")
    return text


def _parts(text: str) -> SplitResult:
    if quote(text, safe=_URI_CHARS) != text:
        raise refused("a URI with characters that none has")
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        raise refused("not a URI") from None
    return parts


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise refused(f"no claim {name!r}")
    return value


def _optional(claims: Claims, name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def refused(reason: str) -> EvidenceError:
    """Say, for our own log, why a token is not believed."""
    return EvidenceError(f"the identity token is not believed: {reason}", code=Code.TOKEN)
