"""The file that names believed issuers, in Fulcio's words (``fulcio.yaml``), read strictly.

What Fulcio's file may have and this one may not: anchors and aliases (write values out), unknown keys, two issuers of
one URL. ``skip-email-verification: true`` is a weakening and needs ``skip-email-verification-reason`` beside it.
"""

from countermark.core.errors import ConfigError, InputError
from countermark.formats import strict_yaml
from countermark.formats.strict_yaml import Item
from countermark.services.identity_tokens.issuers import KINDS, Issuer, Issuers
from countermark.services.identity_tokens.providers import (
    EXTENSIONS,
    PROVIDERS,
    Provider,
    provider,
)

_ISSUER_KEYS = (
    "issuer-url",
    "client-id",
    "type",
    "ci-provider",
    "issuer-claim",
    "subject-domain",
    "spiffe-trust-domain",
    "challenge-claim",
    "skip-email-verification",
    "skip-email-verification-reason",
    "ca-cert",
    "description",
    "contact",
)
_PROVIDER_KEYS = (
    "default-template-values",
    "extension-templates",
    "subject-alternative-name-template",
)


def parse(content: bytes, file: str) -> Issuers:
    """Read such a file.

    Raises:
        ConfigError: it cannot be read, with file, line and path.
    """
    root = strict_yaml.parse(content, file)
    members = root.object(("oidc-issuers", "meta-issuers", "ci-issuer-metadata"))
    providers = dict(PROVIDERS)
    if "ci-issuer-metadata" in members:
        for name, item in members["ci-issuer-metadata"].members().items():
            providers[name] = _provider(item)
    found: list[Issuer] = []
    for key, is_pattern in (("oidc-issuers", False), ("meta-issuers", True)):
        if key in members:
            found += [
                _issuer(url, item, providers, is_pattern=is_pattern)
                for url, item in members[key].members().items()
            ]
    if not found:
        root.refuse("no issuers", "name them under oidc-issuers")
    return Issuers(found)


def _issuer(url: str, item: Item, providers: dict[str, Provider], *, is_pattern: bool) -> Issuer:
    members = item.object(_ISSUER_KEYS)
    for needed in ("client-id", "type"):
        if needed not in members:
            item.refuse(f"{needed} is missing")
    if "issuer-url" in members and members["issuer-url"].text() != url:
        members["issuer-url"].refuse("another URL than the key above it")
    kind = members["type"].word(KINDS)
    try:
        return Issuer(
            url=url,
            audience=members["client-id"].text(),
            kind=kind,
            is_pattern=is_pattern,
            challenge_claim=_optional(members, "challenge-claim"),
            issuer_claim=_claim_path(members),
            subject_domain=_optional(members, "subject-domain"),
            trust_domain=_optional(members, "spiffe-trust-domain"),
            accept_unverified_email=_weakening(members),
            provider=_named_provider(item, members, providers, kind),
            ca_certificates=_optional(members, "ca-cert"),
        )
    except ConfigError as error:
        if error.file:
            raise
        item.refuse(str(error))


def _optional(members: dict[str, Item], name: str) -> str:
    return members[name].text() if name in members else ""


def _claim_path(members: dict[str, Item]) -> tuple[str, ...]:
    """Read ``$.federated_claims.connector_id``, the one shape of JSONPath that leads to one claim."""
    if "issuer-claim" not in members:
        return ()
    text = members["issuer-claim"].text()
    start, *names = text.split(".")
    if start != "$" or not names or not all(n.replace("_", "").isalnum() for n in names):
        members["issuer-claim"].refuse(f"not a path of names: {text[:80]!r}", "write $.name.name")
    return tuple(names)


def _weakening(members: dict[str, Item]) -> bool:
    name = "skip-email-verification"
    if name not in members or not members[name].boolean():
        return False
    reason = f"{name}-reason"
    if reason not in members:
        members[name].refuse(
            "this believes addresses that nobody has verified, and no reason is given",
            f"write {reason}: why this issuer's addresses are right all the same",
        )
    members[reason].text()
    return True


def _named_provider(
    item: Item, members: dict[str, Item], providers: dict[str, Provider], kind: str
) -> Provider | None:
    if "ci-provider" not in members:
        return None
    if kind != "ci-provider":
        members["ci-provider"].refuse("only issuers of type ci-provider have one")
    return providers[members["ci-provider"].word(providers)]


def _provider(item: Item) -> Provider:
    members = item.object(_PROVIDER_KEYS)
    if "subject-alternative-name-template" not in members:
        item.refuse("subject-alternative-name-template is missing")
    extensions: dict[str, str] = {}
    if "extension-templates" in members:
        found = members["extension-templates"].object(EXTENSIONS)
        extensions = {name: text.text() for name, text in found.items()}
    defaults: dict[str, str] = {}
    if "default-template-values" in members:
        for name, value in members["default-template-values"].members().items():
            defaults[name] = "" if value.content in ("", None) else value.text()
    name = members["subject-alternative-name-template"].text()
    try:
        return provider(name, extensions, defaults)
    except InputError as error:
        item.refuse(str(error))
