"""Whom claims name, for each kind of issuer; and each way in which they name nobody."""

from typing import Any

import pytest

from countermark.core.errors import Code, ConfigError, EvidenceError
from countermark.core.ports_sigstore import Principal
from countermark.services.identity_tokens.issuers import Issuer
from countermark.services.identity_tokens.principals import is_email, principal
from countermark.services.identity_tokens.providers import provider

URL = "https://issuer.example.com"
GITHUB_URL = "https://token.actions.githubusercontent.com"
GITHUB = {
    "iss": GITHUB_URL,
    "sub": "repo:octo-org/octo-repo:environment:prod",
    "job_workflow_ref": "octo-org/shared/.github/workflows/sign.yml@refs/heads/main",
    "job_workflow_sha": "jobsha",
    "sha": "commitsha",
    "event_name": "push",
    "repository": "octo-org/octo-repo",
    "repository_id": "74",
    "repository_owner": "octo-org",
    "repository_owner_id": "65",
    "repository_visibility": "private",
    "workflow": "Release",
    "workflow_ref": "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
    "workflow_sha": "workflowsha",
    "ref": "refs/heads/main",
    "run_id": "30433642",
    "run_attempt": "2",
    "runner_environment": "github-hosted",
    "environment": "prod",
    "run_number": "10",
    "actor": "octocat",
}
GITLAB = {
    "iss": "https://gitlab.com",
    "sub": "project_path:group/project:ref_type:branch:ref:main",
    "ci_config_ref_uri": "gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main",
    "ci_config_sha": "configsha",
    "project_path": "group/project",
    "project_id": "20",
    "namespace_path": "group",
    "namespace_id": "72",
    "pipeline_source": "push",
    "job_id": "302",
    "ref": "main",
    "ref_type": "branch",
    "sha": "commitsha",
    "runner_environment": "gitlab-hosted",
    "runner_id": 1,
    "project_visibility": "public",
}
BUILDKITE = {
    "iss": "https://agent.buildkite.com",
    "sub": "organization:acme:pipeline:super:ref:refs/heads/main",
    "organization_slug": "acme",
    "pipeline_slug": "super",
    "build_number": 1,
    "job_id": "0184990a",
    "build_commit": "commitsha",
}
CODEFRESH = {
    "iss": "https://oidc.codefresh.io",
    "sub": "account:a:pipeline:p",
    "account_id": "a1",
    "account_name": "acct",
    "pipeline_id": "p1",
    "pipeline_name": "project/pipe",
    "workflow_id": "w1",
    "scm_repo_url": "https://github.com/o/r",
    "scm_ref": "main",
    "runner_environment": "hybrid",
}


def issuer(kind: str, **more: Any) -> Issuer:
    return Issuer(**({"url": URL, "audience": "sigstore", "kind": kind} | more))


def read(kind: str, claims: dict[str, Any], **more: Any) -> Principal:
    full = {"iss": URL, "sub": "the-subject"} | claims
    return principal(issuer(kind, **more), {k: v for k, v in full.items() if v is not ...})


def refused(kind: str, claims: dict[str, Any], reason: str, **more: Any) -> None:
    with pytest.raises(EvidenceError, match=reason) as caught:
        read(kind, claims, **more)
    assert caught.value.code == Code.TOKEN


# people ---------------------------------------------------------------------------------------------


def test_email() -> None:
    found = read("email", {"email": "alice@example.com", "email_verified": True, "jti": "an-id"})
    assert found == Principal(
        name="alice@example.com",
        kind="email",
        challenge="alice@example.com",
        issuer=URL,
        extensions={1: URL, 8: URL, 24: "the-subject"},
        token_id="an-id",
    )


@pytest.mark.parametrize("verified", [False, "false", None, "yes", 1, [True], ...])
def test_an_address_that_nobody_verified(verified: object) -> None:
    refused("email", {"email": "a@b.org", "email_verified": verified}, "not verified")
    found = read(
        "email", {"email": "a@b.org", "email_verified": verified}, accept_unverified_email=True
    )
    assert found.name == "a@b.org"


def test_an_issuer_that_writes_true_as_a_text() -> None:
    assert read("email", {"email": "a@b.org", "email_verified": "true"}).name == "a@b.org"


@pytest.mark.parametrize("address", [..., "", None, 7, ["a@b.org"], {"a": "b"}])
def test_no_address(address: object) -> None:
    refused("email", {"email": address, "email_verified": True}, "no claim 'email'")


GOOD_ADDRESSES = ["a@b.org", "a.b+c@x-y.example", "o'neil@e.org", "root@localhost", "A@B.org"]
BAD_ADDRESSES = [
    "a", "@b.org", "a@", "a@b..org", "a@-b.org", "a@b-.org", ".a@b.org", "a.@b.org", "a..b@c.org",
    "a b@c.org", "a@b.org\n", "a@b.org ", "a@b@c.org", "Alice <a@b.org>", "ä@b.org", "a@ä.org",
    "a@[127.0.0.1]", '"a"@b.org', "a\x00@b.org", "a" * 250 + "@b.org", "a@" + "b" * 64 + ".org",
]  # fmt: skip


@pytest.mark.parametrize("address", GOOD_ADDRESSES)
def test_addresses(address: str) -> None:
    assert is_email(address)


@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=range(len(BAD_ADDRESSES)))
def test_what_is_no_address(address: str) -> None:
    assert not is_email(address)
    refused("email", {"email": address, "email_verified": True}, "not an e-mail address")


def test_a_login_that_was_passed_on() -> None:
    claims = {
        "email": "a@b.org",
        "email_verified": True,
        "federated_claims": {"connector_id": "https://github.com/login/oauth"},
    }
    where = ("federated_claims", "connector_id")
    found = read("email", claims, issuer_claim=where)
    assert found.issuer == "https://github.com/login/oauth"
    assert found.extensions[1] == found.extensions[8] == found.issuer
    for wrong in (..., {}, {"connector_id": ""}, {"connector_id": 7}, "x", {"connector_id": "a\n"}):
        refused("email", claims | {"federated_claims": wrong}, "true issuer", issuer_claim=where)


def test_username() -> None:
    found = read("username", {"sub": "alice"}, subject_domain="example.com")
    assert (found.name, found.kind, found.challenge) == ("alice!example.com", "username", "alice")
    assert found.extensions == {1: URL, 8: URL, 24: "alice"}
    for wrong in ("a!b", "alice@example.com", "a\nb", "a\u202eb"):
        refused("username", {"sub": wrong}, "no plain user name", subject_domain="example.com")


# machines -------------------------------------------------------------------------------------------


def test_uri() -> None:
    domain = "https://users.example.com"
    found = read("uri", {"sub": f"{domain}/a?b=c"}, subject_domain=domain)
    assert (found.name, found.kind) == (f"{domain}/a?b=c", "uri")
    assert found.challenge == found.extensions[24] == found.name
    for wrong in (
        "http://users.example.com/a",
        "https://example.com/a",
        "https://users.example.com.evil.org/a",
        "https://users.example.com@evil.org/a",
        "https://me@users.example.com/a",
        "https://evil.org\\@users.example.com/a",
        "https://users.example.com/a b",
        "https://users.example.com/ä",
        "https://users.example.com:port/",
        "https://[users.example.com/",
        "users.example.com/a",
        "a@users.example.com",
    ):
        refused("uri", {"sub": wrong}, "subject|URI", subject_domain=domain)


def test_spiffe() -> None:
    name = "spiffe://example.com/ns/default/sa/build"
    found = read("spiffe", {"sub": name}, trust_domain="example.com")
    assert (found.name, found.kind, found.challenge) == (name, "uri", name)
    for wrong in (
        "spiffe://other.com/a",
        "spiffe://example.com.evil/a",
        "spiffe://example.com",
        "spiffe://example.com/",
        "spiffe://example.com/a/",
        "spiffe://example.com//a",
        "spiffe://example.com/a/../b",
        "spiffe://example.com/./a",
        "spiffe://example.com/a?b",
        "spiffe://example.com/%41",
        "spiffe://example.com:1/a",
        "spiffe://x@example.com/a",
        "SPIFFE://example.com/a",
        "https://example.com/a",
        "spiffe://example.com/" + "a" * 2048,
    ):
        refused("spiffe", {"sub": wrong}, "SPIFFE|trust domain", trust_domain="example.com")


def kubernetes(**changes: Any) -> dict[str, Any]:
    about = {"namespace": "default", "serviceaccount": {"name": "builder", "uid": "x"}} | changes
    return {"sub": "system:serviceaccount:default:builder", "kubernetes.io": about}


def test_kubernetes() -> None:
    found = read("kubernetes", kubernetes())
    assert found.name == "https://kubernetes.io/namespaces/default/serviceaccounts/builder"
    assert found.challenge == "system:serviceaccount:default:builder"
    for wrong in (
        {"sub": kubernetes()["sub"]},
        kubernetes(namespace="other"),
        kubernetes(namespace="a/b"),
        kubernetes(namespace=""),
        kubernetes(namespace=..., serviceaccount=...),
        kubernetes(serviceaccount="builder"),
        kubernetes(serviceaccount={"name": "Builder"}),
        kubernetes() | {"kubernetes.io": "x"},
        kubernetes() | {"sub": "system:serviceaccount:default:other"},
    ):
        refused("kubernetes", wrong, "claim|names|service account")


def test_chainguard() -> None:
    found = read("chainguard-identity", {"sub": "abc/def"})
    assert (found.name, found.challenge) == (f"{URL}/abc/def", "abc/def")
    # clients sign the address where there is one
    assert read("chainguard-identity", {"sub": "a", "email": "a@b.org"}).challenge == "a@b.org"


# pipelines ------------------------------------------------------------------------------------------


def test_github_claims_become_exactly_these_extensions() -> None:
    found = read("github-workflow", GITHUB, url=GITHUB_URL)
    home = "https://github.com"
    signer = f"{home}/octo-org/shared/.github/workflows/sign.yml@refs/heads/main"
    assert (found.name, found.kind, found.challenge) == (signer, "uri", GITHUB["sub"])
    assert found.extensions == {
        1: GITHUB_URL,
        2: "push",
        3: "commitsha",
        4: "Release",
        5: "octo-org/octo-repo",
        6: "refs/heads/main",
        8: GITHUB_URL,
        9: signer,
        10: "jobsha",
        11: "github-hosted",
        12: f"{home}/octo-org/octo-repo",
        13: "commitsha",
        14: "refs/heads/main",
        15: "74",
        16: f"{home}/octo-org",
        17: "65",
        18: f"{home}/octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
        19: "workflowsha",
        20: "push",
        21: f"{home}/octo-org/octo-repo/actions/runs/30433642/attempts/2",
        22: "private",
        23: "prod",
        24: GITHUB["sub"],
    }
    assert list(found.extensions) == sorted(found.extensions)


def test_github_without_an_environment() -> None:
    found = read("github-workflow", GITHUB | {"environment": ...}, url=GITHUB_URL)
    assert 23 not in found.extensions


@pytest.mark.parametrize(
    "claim",
    [
        "job_workflow_ref", "sha", "event_name", "repository", "workflow", "ref", "job_workflow_sha",
        "runner_environment", "repository_id", "repository_owner", "repository_owner_id",
        "repository_visibility", "workflow_ref", "workflow_sha", "run_id", "run_attempt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [..., "", None, ["x"], {"x": "y"}])
def test_github_needs_each_of_these_claims(claim: str, value: object) -> None:
    refused("github-workflow", GITHUB | {claim: value}, f"no claim '{claim}'", url=GITHUB_URL)


def test_gitlab() -> None:
    found = read("gitlab-pipeline", GITLAB, url="https://gitlab.com")
    config = "https://gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main"
    assert (found.name, found.challenge) == (config, GITLAB["sub"])
    assert found.extensions == {
        1: "https://gitlab.com",
        8: "https://gitlab.com",
        9: config,
        10: "configsha",
        11: "gitlab-hosted",
        12: "https://gitlab.com/group/project",
        13: "commitsha",
        14: "refs/heads/main",
        15: "20",
        16: "https://gitlab.com/group",
        17: "72",
        18: config,
        19: "configsha",
        20: "push",
        21: "https://gitlab.com/group/project/-/jobs/302",
        22: "public",
        24: GITLAB["sub"],
    }


def test_gitlab_tags_and_foreign_configurations() -> None:
    found = read("gitlab-pipeline", GITLAB | {"ref_type": "tag", "ref": "v1"})
    assert found.extensions[14] == "refs/tags/v1"
    # null where the configuration is another instance's
    assert 10 not in read("gitlab-pipeline", GITLAB | {"ci_config_sha": None}).extensions
    refused("gitlab-pipeline", GITLAB | {"ref_type": "merge"}, "ref_type")
    refused("gitlab-pipeline", GITLAB | {"ref_type": ...}, "ref_type")


def test_buildkite() -> None:
    found = read("buildkite-job", BUILDKITE)
    assert found.name == "https://buildkite.com/acme/super"
    assert found.extensions[21] == "https://buildkite.com/acme/super/builds/1#0184990a"
    assert found.extensions[13] == "commitsha"


def test_codefresh() -> None:
    found = read("codefresh-workflow", CODEFRESH)
    assert found.name == "https://g.codefresh.io/acct/project/pipe:a1/p1"
    assert found.extensions[9] == found.extensions[21] == "https://g.codefresh.io/build/w1"
    assert found.extensions[18] == "https://g.codefresh.io/api/pipelines/p1"
    own = read("codefresh-workflow", CODEFRESH | {"platform_url": "https://cf.example.com"})
    assert own.name == "https://cf.example.com/acct/project/pipe:a1/p1"
    assert 12 not in read("codefresh-workflow", CODEFRESH | {"scm_repo_url": ""}).extensions


OWN = provider(
    "{{ .url }}/{{ .job }}",
    {"build-trigger": "protected", "run-invocation-uri": "{{ .run }}"},
    {"url": "https://ci.example.com", "run": ""},
)


def test_a_provider_of_ones_own() -> None:
    found = read("ci-provider", {"job": "a b/ä", "protected": True, "run": 7}, provider=OWN)
    assert found.name == "https://ci.example.com/a%20b/%C3%A4"
    assert found.extensions == {1: URL, 8: URL, 20: "true", 21: "7", 24: "the-subject"}
    without = read("ci-provider", {"job": "a", "protected": False}, provider=OWN)
    assert 21 not in without.extensions
    assert without.extensions[20] == "false"


@pytest.mark.parametrize(
    "claims",
    [
        {"job": ""},
        {"job": "a\nb"},
        {"job": "a\u202eb"},
        {"job": "100%"},
        {"job": "x", "url": "no-scheme"},
        {"job": "x", "url": "https://"},
        {"job": "x", "url": "https://[x"},
        {"job": "x", "url": "https://x:port"},
    ],
)
def test_names_that_are_no_uri(claims: dict[str, Any]) -> None:
    refused("ci-provider", {"protected": "x"} | claims, "name|URI|claim", provider=OWN)


def test_the_claim_that_is_signed_may_be_another() -> None:
    claims = GITHUB | {"email": "a@b.org"}
    found = read("github-workflow", claims, url=GITHUB_URL, challenge_claim="email")
    assert found.challenge == "a@b.org"
    refused("github-workflow", GITHUB, "no claim 'email'", challenge_claim="email")


def test_a_provider_names_extensions_that_there_are() -> None:
    with pytest.raises(ConfigError, match="there is no extension"):
        provider("{{ .x }}", {"issuer": "iss"}, {})
