"""Who signs with cosign, as a policy writes it: what is understood, and the place of every mistake."""

from typing import Any

import pytest

import fake_sigstore
from countermark.core import patterns
from countermark.core.errors import Code, ConfigError
from countermark.core.reference import ImageReference
from countermark.core.signer import CosignSigner, Identity
from countermark.policy.model import AtLeast, Layer, Policy, Requirement, Vouched
from countermark.policy.parse import parse

SIGSTORE = fake_sigstore.Sigstore()
KEY = fake_sigstore.pem(fake_sigstore.new_key())
CA = fake_sigstore.pem_of(SIGSTORE.authority.chain[-1])
ROOT = SIGSTORE.trusted_root().decode()
FILES = {
    "qa.pub": KEY,
    "ca.pem": CA,
    "root.json": ROOT,
    "empty.json": "{}",
    "two.pub": KEY * 2,
    "broken.pub": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
    "broken.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "private.key": "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
}
SEEN, SEEN_2 = (fake_sigstore.Witness(name).verifier_key for name in ("a.test", "b.test"))
SLSA = "https://slsa.dev/provenance/v1"


def check_condition(text: str) -> None:
    if text.endswith("=="):
        raise ConfigError("no CEL", hint="end it")


def load(text: str) -> Layer:
    return parse(
        text.encode(),
        file="policy.yaml",
        read_file=lambda path: FILES[path].encode() if path in FILES else None,
        check_condition=check_condition,
    )


def one(text: str, before: str = "") -> CosignSigner:
    (signer,) = load(f"version: 1\n{before}signers:\n  a: {text}\n").signers
    assert isinstance(signer, CosignSigner)
    return signer


def identity(text: str) -> Identity:
    found = one(f"{{cosign: {text}}}").identity
    assert found is not None
    return found


SIGNERS: list[tuple[str, dict[str, Any]]] = [
    ("{cosign: {key: qa.pub}}", {"key": KEY}),
    ("{cosign: {key: qa.pub, acceptUnlogged: why}}", {"key": KEY, "accept_unlogged": "why"}),
    ("{cosign: {ca: ca.pem}}", {"ca": (CA,)}),
    ("{cosign: {ca: [ca.pem, ca.pem], subject: x@y}}", {"ca": (CA, CA), "ca_subject": "x@y"}),
    ("{cosign: {ca: ca.pem, acceptUncertified: none}}", {"ca": (CA,), "accept_uncertified": "none"}),
    ("{cosign: {key: qa.pub, trust: root.json}}", {"key": KEY, "trusted_root": ROOT}),
    ("{cosign: {key: qa.pub, trust: public}}", {"key": KEY, "trusted_root": "public"}),
    ("{cosign: {key: qa.pub, logs: 2}}", {"key": KEY, "threshold": 2}),
    (
        f"{{cosign: {{key: qa.pub, witnesses: [{SEEN}, {SEEN_2}]}}}}",
        {"key": KEY, "witnesses": (SEEN, SEEN_2), "witnesses_needed": 2},
    ),
    (
        f"{{cosign: {{key: qa.pub, witnesses: [{SEEN}, {SEEN_2}], witnessesNeeded: 1}}}}",
        {"key": KEY, "witnesses": (SEEN, SEEN_2), "witnesses_needed": 1},
    ),
    ("{cosign: {key: qa.pub, timestamped: true}}", {"key": KEY, "timestamped": True}),
    ("{cosign: {key: qa.pub, claims: exact}}", {"key": KEY, "claims": "exact"}),
    (
        "{cosign: {key: qa.pub, annotations: {env: prod, team: pay}}}",
        {"key": KEY, "annotations": (("env", "prod"), ("team", "pay"))},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields"), SIGNERS)
def test_signers(text: str, fields: dict[str, Any]) -> None:
    assert one(text) == CosignSigner(name="a", **fields)


IDENTITIES: list[tuple[str, dict[str, Any]]] = [
    ("{issuer: https://i, subject: a@b}", {"issuer": "https://i", "subject": "a@b"}),
    (
        "{issuer: https://i, subject: 'https://h/*/x'}",
        {"issuer": "https://i", "subject_pattern": r"https\:\/\/h\/[^/]*\/x"},
    ),
    (
        "{issuerRegexp: 'https://i.*', subjectRegexp: '.*@b'}",
        {"issuer_pattern": "https://i.*", "subject_pattern": ".*@b"},
    ),
    (
        "{issuer: 'https://**', subject: '*@b'}",
        {"issuer_pattern": r"https\:\/\/.*", "subject_pattern": r"[^/]*\@b"},
    ),
    (
        "{issuer: i, subject: s, extensions: {buildTrigger: push, '12': u}}",
        {"issuer": "i", "subject": "s", "extensions": ((12, "u"), (20, "push"))},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields"), IDENTITIES)
def test_identities(text: str, fields: dict[str, Any]) -> None:
    assert identity(text) == Identity(**fields)


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("https://github.com/acme/*/ci.yml@refs/tags/v*", "https://github.com/acme/shop/ci.yml@refs/tags/v1", True),
        ("https://github.com/acme/*/ci.yml@refs/tags/v*", "https://github.com/acme/a/b/ci.yml@refs/tags/v1", False),
        ("https://github.com/acme/*", "https://github.com/acme-evil/x", False),
        ("https://github.com/acme/*", "https://evil/?https://github.com/acme/x", False),
        ("https://github.com/acme/**", "https://github.com/acme/a/b", True),
        ("https://github.com/acme/**", "https://githubXcom/acme/a", False),
        ("*@acme.test", "alice@acme.test", True),
        ("*@acme.test", "alice@acme.test.evil", False),
        ("**", "a\nb", False),
        ("é*", "été", True),
        ("é*", "ete", False),
    ],
)  # fmt: skip
def test_stars(glob: str, text: str, matches: bool) -> None:
    assert patterns.matches(patterns.from_glob(glob), text) is matches


def test_the_trust_of_a_file_is_for_those_who_name_none() -> None:
    before = "trust: {sigstore: root.json}\n"
    assert one("{cosign: {key: qa.pub}}", before).trusted_root == ROOT
    assert one("{cosign: {key: qa.pub, trust: public}}", before).trusted_root == "public"
    # wherever in the file it stands
    layer = load("version: 1\nsigners: {a: {cosign: {key: qa.pub}}}\ntrust: {sigstore: public}\n")
    (signer,) = layer.signers
    assert isinstance(signer, CosignSigner)
    assert signer.trusted_root == "public"


def signer(text: str) -> str:
    return f"version: 1\nsigners:\n  a: {text}\n"


AT = "signers.a.cosign"


def fulcio(extensions: str) -> str:
    return signer(f"{{cosign: {{issuer: i, subject: s, extensions: {extensions}}}}}")


MISTAKES = [
    (signer("{cosign: {}}"), "signers.a.cosign", "exactly one of key"),
    (signer("{cosign: {key: qa.pub, ca: ca.pem}}"), "signers.a.cosign", "exactly one of key"),
    (signer("{cosign: {key: qa.pub, subject: x}}"), f"{AT}.subject", "does not go with key"),
    (signer("{cosign: {ca: ca.pem, subjectRegexp: x}}"), f"{AT}.subjectRegexp", "does not go with ca"),
    (signer("{cosign: {ca: ca.pem, extensions: {}}}"), f"{AT}.extensions", "does not go with ca"),
    (signer("{cosign: {issuer: i}}"), "signers.a.cosign", "everybody whom it knows"),
    (signer("{cosign: {subject: s}}"), "signers.a.cosign", "exactly one of key"),
    (signer("{cosign: {issuer: i, issuerRegexp: i, subject: s}}"), f"{AT}.issuerRegexp", "do not go together"),
    (signer("{cosign: {issuer: i, subjectRegexp: '('}}"), f"{AT}.subjectRegexp", "not a pattern of RE2"),
    (signer("{cosign: {key: qa.pub, witnesses: []}}"), f"{AT}.witnesses", "an empty list"),
    (signer("{cosign: {key: qa.pub, witnesses: [a+b+c]}}"), f"{AT}.witnesses[0]", "witness's key"),
    (signer(f"{{cosign: {{key: qa.pub, witnesses: [{SEEN}, {SEEN}]}}}}"), f"{AT}.witnesses[1]", "twice"),
    (signer("{cosign: {key: qa.pub, witnessesNeeded: 1}}"), f"{AT}.witnessesNeeded", "no witnesses"),
    (signer(f"{{cosign: {{key: qa.pub, witnesses: [{SEEN}], witnessesNeeded: 2}}}}"), f"{AT}.witnessesNeeded", "1"),
    (signer(f"{{cosign: {{key: qa.pub, witnesses: [{SEEN}], witnessesNeeded: 0}}}}"), f"{AT}.witnessesNeeded", "1"),
    (signer(f"{{cosign: {{key: qa.pub, witnesses: [{SEEN}], acceptUnlogged: x}}}}"), f"{AT}.acceptUnlogged", "log"),
    (fulcio("{colour: x}"), f"{AT}.extensions.colour", "no extension"),
    (fulcio("{'8': x}"), f"{AT}.extensions.8", "no extension"),
    (fulcio("{'20': x, buildTrigger: y}"), f"{AT}.extensions.buildTrigger", "twice"),
    (signer("{cosign: {key: none.pub}}"), f"{AT}.key", "no such file"),
    (signer("{cosign: {key: private.key}}"), f"{AT}.key", "private key"),
    (signer("{cosign: {key: 'awskms:///alias/x'}}"), f"{AT}.key", "where private keys are kept"),
    (signer("{cosign: {key: ca.pem}}"), f"{AT}.key", "one public key"),
    (signer("{cosign: {key: two.pub}}"), f"{AT}.key", "one public key"),
    (signer("{cosign: {key: broken.pub}}"), f"{AT}.key", "not a public key"),
    (signer("{cosign: {ca: qa.pub}}"), f"{AT}.ca", "a CA is a certificate"),
    (signer("{cosign: {ca: broken.pem}}"), f"{AT}.ca", "not a certificate"),
    (signer("{cosign: {key: qa.pub, trust: none.json}}"), f"{AT}.trust", "no such file"),
    (signer("{cosign: {key: qa.pub, trust: empty.json}}"), f"{AT}.trust", "no trusted root"),
    (signer("{cosign: {key: qa.pub, claims: some}}"), f"{AT}.claims", "none of"),
    (signer("{cosign: {key: qa.pub, logs: 0}}"), f"{AT}.logs", "from 1"),
    (signer("{cosign: {key: qa.pub, acceptUnlogged: true}}"), f"{AT}.acceptUnlogged", "a text is expected"),
    (signer("{cosign: {key: qa.pub, acceptUnlogged: ''}}"), f"{AT}.acceptUnlogged", "a text is expected"),
    (signer("{cosign: {key: qa.pub, ignoreTlog: true}}"), f"{AT}.ignoreTlog", "unknown key"),
    (signer("{cosign: {key: qa.pub}, dct: {root: first-use}}"), "signers.a", "only one"),
    ("version: 1\ntrust: {}\n", "trust", "nothing is trusted"),
    ("version: 1\ntrust: {notary: x}\n", "trust.notary", "unknown key"),
    ("version: 1\nregistries: {docker.io: {signatures: sigs}}\n", "registries.docker.io.signatures", "no repository"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message"), MISTAKES)
def test_every_mistake_has_its_place(text: str, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.path == path
    assert message in str(caught.value)
    assert caught.value.code == Code.BAD_CONFIG


# Attestations -----------------------------------------------------------------------------------------


def demand(text: str) -> Requirement:
    layer = load(
        "version: 1\nsigners:\n  ci: {cosign: {key: qa.pub}}\n  qa: {cosign: {ca: ca.pem}}\n"
        f"  old: {{dct: {{root: first-use}}}}\nrules:\n- images: '**'\n  require: {text}\n"
    )
    (rule,) = layer.rules
    assert rule.requirement is not None
    return rule.requirement


def test_an_attestation_is_demanded_of_the_same_signer_by_another_name() -> None:
    found = demand(f"{{attested: {SLSA}, by: ci}}")
    name = f"ci (attested {SLSA})"
    wanted = CosignSigner(name=name, key=KEY, predicate=SLSA)
    assert found == Vouched(signer=wanted, predicate=SLSA)


def test_a_condition_makes_it_another_one() -> None:
    found = demand(
        f"[{{attested: {SLSA}, by: ci, where: a == 1}}, {{attested: {SLSA}, by: ci}}, ci]"
    )
    assert isinstance(found, AtLeast)
    signers = [part.signer for part in found.parts if isinstance(part, Vouched)]
    assert [s.name for s in signers] == [
        f"ci (attested {SLSA} where a == 1)",
        f"ci (attested {SLSA})",
        "ci",
    ]
    assert isinstance(signers[0], CosignSigner)
    assert signers[0].condition == "a == 1"


@pytest.mark.parametrize(
    ("word", "predicate"),
    [
        ("slsaprovenance1", SLSA),
        ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
        ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
        ("https://acme.test/reviewed", "https://acme.test/reviewed"),
    ],
)
def test_predicate_types_by_cosigns_words(word: str, predicate: str) -> None:
    found = demand(f"{{attested: {word}, by: ci}}")
    assert isinstance(found, Vouched)
    assert found.predicate == predicate


BAD_DEMANDS = [
    (f"{{attested: {SLSA}}}", "rules[0].require", "go together"),
    ("{by: ci, where: a}", "rules[0].require", "go together"),
    (f"{{attested: {SLSA}, by: nobody}}", "rules[0].require.by", "none of"),
    (f"{{attested: {SLSA}, by: old}}", "rules[0].require.by", "attests nothing"),
    ("{attested: sbom, by: ci}", "rules[0].require.attested", "no predicate type"),
    (f"{{attested: {SLSA}, by: ci, where: 'a =='}}", "rules[0].require.where", "no CEL"),
    (f"{{attested: {SLSA}, by: ci, colour: red}}", "rules[0].require.colour", "unknown key"),
    (
        f"{{atLeast: 2, of: [ci, qa, {{attested: {SLSA}, by: ci}}]}}",
        "rules[0].require",
        "ci alone could make two",
    ),
]


@pytest.mark.parametrize(("text", "path", "message"), BAD_DEMANDS)
def test_every_mistake_about_attestations(text: str, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        demand(text)
    assert caught.value.path == path
    assert message in str(caught.value)


def test_where_all_parts_are_needed_one_may_sign_and_attest() -> None:
    found = demand(f"[ci, {{attested: {SLSA}, by: ci}}]")
    assert isinstance(found, AtLeast)
    assert found.count == 2


def test_where_signatures_lie() -> None:
    layer = load(
        "version: 1\nregistries:\n  ghcr.io: {signatures: registry.test/sigs}\n"
        "  ghcr.io/acme: {signatures: registry.test:5000/acme/sigs}\n  ghcr.io/acme/pay: {at: mirror.test}\n"
    )
    policy = Policy(layers=(layer,))
    for image, place in [
        ("ghcr.io/other/x", "registry.test/sigs"),
        ("ghcr.io/acme/pay", "registry.test:5000/acme/sigs"),
        ("docker.io/acme/pay", "docker.io/acme/pay"),
    ]:
        assert policy.signatures_of(ImageReference.parse(image).repository).name == place


def test_without_someone_who_reads_conditions_they_are_taken_as_they_are() -> None:
    """Whoever judges one finds out, and nothing is allowed by it."""
    text = (
        "version: 1\nsigners: {ci: {cosign: {key: qa.pub}}}\n"
        f"rules: [{{images: '**', require: {{attested: {SLSA}, by: ci, where: 'a =='}}}}]\n"
    )
    layer = parse(text.encode(), file="p", read_file=lambda path: FILES[path].encode())
    (rule,) = layer.rules
    assert isinstance(rule.requirement, Vouched)
    assert isinstance(rule.requirement.signer, CosignSigner)
    assert rule.requirement.signer.condition == "a =="
