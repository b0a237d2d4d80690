"""The file of believed issuers, in Fulcio's words."""

import pytest

from countermark.core.errors import ConfigError
from countermark.services.identity_tokens.issuer_file import parse
from countermark.services.identity_tokens.providers import PROVIDERS

GOOD = """\
oidc-issuers:
  https://accounts.google.com:
    issuer-url: https://accounts.google.com
    client-id: sigstore
    type: email
    contact: somebody@example.com
    description: "Google"
  https://oauth2.sigstore.dev/auth:
    client-id: sigstore
    type: email
    issuer-claim: $.federated_claims.connector_id
  https://gitlab.com:
    client-id: sigstore
    type: ci-provider
    ci-provider: gitlab-pipeline
  https://ci.example.com:
    client-id: sigstore
    type: ci-provider
    ci-provider: own
    challenge-claim: email
    ca-cert: "-----BEGIN CERTIFICATE-----"
  https://adfs.example.com:
    client-id: sigstore
    type: email
    skip-email-verification: true
    skip-email-verification-reason: addresses are assigned by the company
  https://users.example.com:
    client-id: sigstore
    type: username
    subject-domain: example.com
  https://spire.example.com:
    client-id: sigstore
    type: spiffe
    spiffe-trust-domain: example.com
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*:
    client-id: sigstore
    type: kubernetes
ci-issuer-metadata:
  own:
    default-template-values:
      url: https://ci.example.com
      environment: ""
    extension-templates:
      build-signer-uri: "{{ .url }}/{{ .job }}"
      deployment-environment: environment
    subject-alternative-name-template: "{{ .url }}/{{ .job }}"
"""


def test_a_whole_file() -> None:
    issuers = parse(GOOD.encode(), "issuers.yaml")
    assert len(issuers.listed()) == 8
    dex = issuers.find("https://oauth2.sigstore.dev/auth")
    assert dex is not None
    assert dex.issuer_claim == ("federated_claims", "connector_id")
    gitlab = issuers.find("https://gitlab.com")
    assert gitlab is not None
    assert gitlab.claims_provider == PROVIDERS["gitlab-pipeline"]
    own = issuers.find("https://ci.example.com")
    assert own is not None
    assert own.provider is not None
    assert (own.challenge, own.ca_certificates) == ("email", "-----BEGIN CERTIFICATE-----")
    assert sorted(own.provider.extensions) == [9, 23]
    assert own.provider.defaults == {"url": "https://ci.example.com", "environment": ""}
    adfs = issuers.find("https://adfs.example.com")
    assert adfs is not None
    assert adfs.accept_unverified_email
    eks = issuers.find("https://oidc.eks.us-west-2.amazonaws.com/id/X")
    assert eks is not None
    assert eks.kind == "kubernetes"


def changed(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"oidc-issuers: 1", "keys and values"),
        (b"ci-issuer-metadata: {}", "no issuers"),
        (b"oidc-issuers: {}", "no issuers"),
        (b"issuers: {}", "unknown key 'issuers'"),
        (b"a: &x 1\noidc-issuers: *x", "anchors"),
        (changed("type: email", "type: emails"), "is none of"),
        (changed("    type: email\n", ""), "type is missing"),
        (changed("    client-id: sigstore\n", ""), "client-id is missing"),
        (
            changed("issuer-url: https://accounts.google.com", "issuer-url: https://x"),
            "another URL",
        ),
        (changed("contact:", "contacts:"), "unknown key"),
        (changed("$.federated_claims.connector_id", "federated_claims"), "path of names"),
        (changed("$.federated_claims.connector_id", "$"), "path of names"),
        (changed("$.federated_claims.connector_id", '"$..x[0]"'), "path of names"),
        (changed("ci-provider: gitlab-pipeline", "ci-provider: gitlab"), "is none of"),
        (changed("    ci-provider: gitlab-pipeline\n", ""), "say which one"),
        (changed("type: username", "type: username\n    ci-provider: own"), "only issuers of type"),
        (
            changed(
                "    skip-email-verification-reason: addresses are assigned by the company\n", ""
            ),
            "no reason is given",
        ),
        (
            changed("addresses are assigned by the company", '""'),
            "a text is expected",
        ),
        (changed("skip-email-verification: true", "skip-email-verification: yes"), "true or false"),
        (changed("subject-domain: example.com", "subject-domain: evil.org"), "does not speak for"),
        (changed("build-signer-uri:", "build-signer-url:"), "unknown key 'build-signer-url'"),
        (
            changed("deployment-environment: environment", "build-trigger: '{{ end }}'"),
            "without 'if'",
        ),
        (
            changed('    subject-alternative-name-template: "{{ .url }}/{{ .job }}"\n', ""),
            "template is missing",
        ),
        (
            changed(
                "subject-alternative-name-template: ", "subject-alternative-name-template: '{{' #"
            ),
            "without '}}'",
        ),
        (
            changed("https://oidc.eks.*.amazonaws.com/id/*", "https://oidc.eks.amazonaws.com"),
            "has a",
        ),
        (
            changed("https://oidc.eks.*.amazonaws.com/id/*", '"http://*"'),
            "https URL",
        ),
    ],
)
def test_what_is_refused_says_where(content: bytes, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse(content, "issuers.yaml")
    assert str(caught.value).startswith("issuers.yaml")


def test_an_unverified_address_is_not_believed_by_default() -> None:
    content = changed("skip-email-verification: true", "skip-email-verification: false")
    adfs = parse(content, "f").find("https://adfs.example.com")
    assert adfs is not None
    assert not adfs.accept_unverified_email


def test_a_provider_may_have_a_name_only() -> None:
    text = """\
meta-issuers:
  https://*.ci.example.com:
    client-id: sigstore
    type: ci-provider
    ci-provider: own
ci-issuer-metadata:
  own:
    subject-alternative-name-template: "https://{{ .job }}"
"""
    found = parse(text.encode(), "f").find("https://a.ci.example.com")
    assert found is not None
    assert found.provider is not None
    assert (found.provider.extensions, found.provider.defaults) == ({}, {})
