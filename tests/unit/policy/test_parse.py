"""Policy text to a layer: what is understood, and the place of every mistake."""

from datetime import UTC, datetime, timedelta

import pytest

from countermark.core import limits
from countermark.core.errors import Code, ConfigError, StorageError
from countermark.core.signer import DctSigner
from countermark.policy.built_in import built_in
from countermark.policy.model import AtLeast, Layer, Modes, RegistryPlace, Requirement, Vouched
from countermark.policy.parse import parse

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
PRIVATE = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
KEY_ID = "0123456789abcdef" * 4
FILES = {
    "root.pem": CERTIFICATE.encode(),
    "keys/root.pub": PUBLIC.encode(),
    "alice.key": PRIVATE.encode(),
    "notes.txt": b"nothing",
    "binary": b"\xff\xfe",
}


def read_file(path: str) -> bytes | None:
    if path == "locked.pem":
        raise StorageError("permission denied", code=Code.REFUSED, hint="chmod it")
    return FILES.get(path)


def load(text: str, *, knows_namespaces: bool = False) -> Layer:
    return parse(
        text.encode(), file="policy.yaml", read_file=read_file, knows_namespaces=knows_namespaces
    )


def one_signer(text: str) -> DctSigner:
    (signer,) = load(f"version: 1\nsigners:\n  a: {text}\n").signers
    assert isinstance(signer, DctSigner)
    return signer


def requirement(text: str) -> Requirement:
    names = "".join(f"  {name}: {{dct: {{root: first-use}}}}\n" for name in "abcd")
    (rule,) = load(
        f"version: 1\nsigners:\n{names}rules:\n- images: '**'\n  require: {text}\n"
    ).rules
    assert rule.requirement is not None
    return rule.requirement


def test_the_smallest_file_denies_everything() -> None:
    assert load("version: 1") == Layer(
        name="policy.yaml",
        rules=(),
        unmatched="deny",
        modes=Modes(default="enforce"),
        moved_tag="deny",
        last_good=None,
        accept_stale=False,
        require_pin=False,
    )


def test_all_of_a_layer() -> None:
    layer = load(
        """\
version: 1
unmatched: warn
mode: {default: warn, docker: enforce}
movedTag: useSigned
onUnavailable: {lastGood: 24h}
requirePin: true
signers:
  releases: {dct: {root: root.pem}}
rules:
- images: registry.k8s.io/**
  allow: needed to boot
  until: 2027-03-31
- images: docker.io/evil/**
  deny: withdrawn
- images: acme/**
  require: releases
  priority: 5
  mode: audit
registries:
  docker.io: {at: mirror.acme.test/hub, ca: root.pem, login: docker-config}
"""
    )
    assert layer.unmatched == "warn"
    assert layer.modes == Modes(default="warn", points=(("docker", "enforce"),))
    assert layer.moved_tag == "useSigned"
    assert layer.last_good == timedelta(hours=24)
    assert layer.require_pin is True
    assert layer.accept_stale is False
    releases = DctSigner(name="releases", roots=(CERTIFICATE,))
    assert layer.signers == (releases,)
    allow, deny, require = layer.rules
    assert (str(allow.images), allow.effect, allow.reason) == (
        "registry.k8s.io/**",
        "allow",
        "needed to boot",
    )
    assert (allow.until, allow.line) == (datetime(2027, 3, 31, tzinfo=UTC), 10)
    assert (deny.effect, deny.reason, deny.line) == ("deny", "withdrawn", 13)
    assert (require.effect, require.requirement) == ("require", Vouched(signer=releases))
    assert (require.priority, require.modes, require.line) == (5, Modes(default="audit"), 15)
    assert layer.registries == (
        RegistryPlace(
            scope="docker.io",
            at="mirror.acme.test/hub",
            ca=CERTIFICATE,
            login="docker-config",
            line=20,
        ),
    )


SIGNERS = [
    ("{dct: {root: first-use}}", DctSigner(name="a", first_use=True)),
    ("{dct: {root: root.pem}}", DctSigner(name="a", roots=(CERTIFICATE,))),
    ("{dct: {root: keys/root.pub}}", DctSigner(name="a", roots=(PUBLIC,))),
    (f"{{dct: {{root: {KEY_ID}}}}}", DctSigner(name="a", roots=(KEY_ID,))),
    (f"{{dct: {{root: {KEY_ID.upper()}}}}}", DctSigner(name="a", roots=(KEY_ID,))),
    (f"{{dct: {{root: '{'1' * 64}'}}}}", DctSigner(name="a", roots=("1" * 64,))),
    (f"{{dct: {{root: {'1' * 64}}}}}", DctSigner(name="a", roots=("1" * 64,))),
    (f"{{dct: {{root: [{KEY_ID}, root.pem]}}}}", DctSigner(name="a", roots=(KEY_ID, CERTIFICATE))),
    (
        "\n    dct:\n      root: |\n"
        + "".join(f"        {line}\n" for line in PUBLIC.splitlines()),
        DctSigner(name="a", roots=(PUBLIC,)),
    ),
    (
        "{dct: {root: first-use, role: targets/alice, server: 'https://notary.acme.test/'}}",
        DctSigner(
            name="a", first_use=True, role="targets/alice", server="https://notary.acme.test"
        ),
    ),
    (
        "{dct: {root: first-use, role: targets/a/b, server: 'http://127.0.0.1:4443'}}",
        DctSigner(name="a", first_use=True, role="targets/a/b", server="http://127.0.0.1:4443"),
    ),
    (
        "{dct: {root: first-use}, notAfter: 2027-06-30}",
        DctSigner(name="a", first_use=True, not_after=datetime(2027, 6, 30, tzinfo=UTC)),
    ),
    (
        "{dct: {root: first-use}, notAfter: '2027-06-30T12:00:00+02:00'}",
        DctSigner(name="a", first_use=True, not_after=datetime(2027, 6, 30, 10, tzinfo=UTC)),
    ),
]


@pytest.mark.parametrize(("text", "signer"), SIGNERS)
def test_signers(text: str, signer: DctSigner) -> None:
    assert one_signer(text) == signer


A, B, C, D = (Vouched(signer=DctSigner(name=name, first_use=True)) for name in "abcd")

REQUIREMENTS = [
    ("a", A),
    ("[a]", A),
    ("[a, b]", AtLeast(count=2, parts=(A, B))),
    ("{any: [a, b]}", AtLeast(count=1, parts=(A, B))),
    ("{any: [a]}", A),
    ("{atLeast: 2, of: [a, b, c]}", AtLeast(count=2, parts=(A, B, C))),
    ("[a, {any: [b, c]}]", AtLeast(count=2, parts=(A, AtLeast(count=1, parts=(B, C))))),
    ("{any: [[a, b], c]}", AtLeast(count=1, parts=(AtLeast(count=2, parts=(A, B)), C))),
    ("{signer: a}", A),
    ("{signer: a, until: 2027-06-30}", A.replace(until=datetime(2027, 6, 30, tzinfo=UTC))),
    (
        "{any: [{signer: a, until: 2027-06-30}, b]}",
        AtLeast(count=1, parts=(A.replace(until=datetime(2027, 6, 30, tzinfo=UTC)), B)),
    ),
    (
        "{dct: {root: first-use}}",
        Vouched(signer=DctSigner(name="policy.yaml rules[0].require", first_use=True)),
    ),
    (
        "[a, {dct: {root: first-use}, notAfter: 2027-06-30, until: 2027-07-31}]",
        AtLeast(
            count=2,
            parts=(
                A,
                Vouched(
                    signer=DctSigner(
                        name="policy.yaml rules[0].require[1]",
                        first_use=True,
                        not_after=datetime(2027, 6, 30, tzinfo=UTC),
                    ),
                    until=datetime(2027, 7, 31, tzinfo=UTC),
                ),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), REQUIREMENTS)
def test_requirements(text: str, expected: Requirement) -> None:
    assert requirement(text) == expected


DURATIONS = [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("30d", 2592000)]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_how_long_a_last_good_answer_counts(text: str, seconds: int) -> None:
    layer = load(f"version: 1\nonUnavailable: {{lastGood: {text}}}")
    assert layer.last_good == timedelta(seconds=seconds)


def test_unavailable_may_be_denied_in_words() -> None:
    assert load("version: 1\nonUnavailable: deny").last_good is None


def test_namespaces_are_taken_where_they_are_known() -> None:
    text = "version: 1\nrules:\n- {images: '**', in: {namespaces: [prod-*, dev]}, allow: x}\n"
    assert load(text, knows_namespaces=True).rules[0].namespaces == ("prod-*", "dev")


def test_registries() -> None:
    layer = load(
        "version: 1\nregistries:\n  ghcr.io/acme: {at: 'registry.acme.test:5000'}\n"
        "  index.docker.io: {login: docker-config}\n"
        "  quay.io: {login: none, realms: [tokens.acme.test]}\n"
    )
    assert layer.registries == (
        RegistryPlace(scope="ghcr.io/acme", at="registry.acme.test:5000", line=3),
        RegistryPlace(scope="docker.io", login="docker-config", line=4),
        RegistryPlace(scope="quay.io", login="none", realms=("tokens.acme.test",), line=5),
    )


# Mistakes: the text, the line, the path, and a part of what is said ------------------------------------

HEAD = "version: 1\nsigners:\n  a: {dct: {root: first-use}}\n  b: {dct: {root: first-use}}\n"


def rules(*lines: str) -> str:
    return HEAD + "rules:\n" + "".join(f"- {line}\n" for line in lines)


def signer(text: str) -> str:
    return f"version: 1\nsigners:\n  a: {text}\n"


LATER = "yet, and does not ignore it"

MISTAKES = [
    ("[]", 1, "", "keys and values are expected"),
    ("unmatched: deny", 1, "", "version is missing"),
    ("version: 2", 1, "version", "reads version: 1"),
    ("version: true", 1, "version", "reads version: 1"),
    ("version: '1'", 1, "version", "reads version: 1"),
    ("version: 1\nunmatch: deny", 2, "unmatch", "unknown key 'unmatch'"),
    ("version: 1\nunmatched: maybe", 2, "unmatched", "'maybe' is none of: deny, allow, warn"),
    ("version: 1\nmode: on", 2, "mode", "'on' is none of: enforce, warn, audit"),
    ("version: 1\nmode: {defualt: warn}", 2, "mode.defualt", "unknown key 'defualt'"),
    ("version: 1\nmode: {gatway: warn}", 2, "mode.gatway", "unknown key 'gatway'"),
    ("version: 1\nmode:\n  docker: no", 3, "mode.docker", "'no' is none of"),
    ("version: 1\nmovedTag: allow", 2, "movedTag", "'allow' is none of: deny, useSigned"),
    ("version: 1\nrequirePin: yes", 2, "requirePin", "true or false is expected, not 'yes'"),
    ("version: 1\nonUnavailable: allow", 2, "onUnavailable", "'allow' is none of: deny"),
    ("version: 1\nonUnavailable: {}", 2, "onUnavailable", "lastGood is missing"),
    ("version: 1\nonUnavailable: {lastBad: 1h}", 2, "onUnavailable.lastBad", "unknown key"),
    ("version: 1\nonUnavailable: {lastGood: 1}", 2, "onUnavailable.lastGood", "a text is expected"),
    ("version: 1\nonUnavailable: {lastGood: h}", 2, "onUnavailable.lastGood", "no length of time"),
    ("version: 1\nonUnavailable: {lastGood: 1w}", 2, "onUnavailable.lastGood", "no length of time"),
    ("version: 1\nonUnavailable: {lastGood: -1h}", 2, "onUnavailable.lastGood", "no length of time"),
    ("version: 1\nonUnavailable: {lastGood: 1.5h}", 2, "onUnavailable.lastGood", "no length of time"),
    ("version: 1\nonUnavailable: {lastGood: 99999999h}", 2, "onUnavailable.lastGood", "no length of time"),
    ("version: 1\nonUnavailable: {lastGood: 0h}", 2, "onUnavailable.lastGood", "at most 30 days"),
    ("version: 1\nonUnavailable: {lastGood: 31d}", 2, "onUnavailable.lastGood", "at most 30 days"),
    # what the language has and this version has not
    ("version: 1\nplatforms: each", 2, "platforms", LATER),
    ("version: 1\nreplaces: cluster", 2, "replaces", LATER),
    (signer("{notation: {ca: vendor.pem}}"), 3, "signers.a.notation", LATER),
    (signer("{gpg: {key: x}}"), 3, "signers.a.gpg", LATER),
    (signer("{dct: {root: first-use, claims: exact}}"), 3, "signers.a.dct.claims", LATER),
    (signer("{dct: {root: first-use, trust: x}}"), 3, "signers.a.dct.trust", LATER),
    (rules("{images: '**', require: a, platforms: each}"), 6, "rules[0].platforms", LATER),
    (rules("{images: '**', require: a, delegate: true}"), 6, "rules[0].delegate", LATER),
    (rules("{images: '**', require: a, claims: exact}"), 6, "rules[0].claims", LATER),
    (rules("{images: '**', in: {kinds: [Pod]}, allow: x}"), 6, "rules[0].in.kinds", LATER),
    (rules("{images: '**', in: {namespaces: [a]}, allow: x}"), 6, "rules[0].in", "no namespace is known here"),
    # signers
    ("version: 1\nsigners: [a]", 2, "signers", "keys and values are expected"),
    ("version: 1\nsigners:\n  ' a': {dct: {root: first-use}}", 3, "signers. a", "a signer's name is printable"),
    ("version: 1\nsigners:\n  '': {dct: {root: first-use}}", 3, "signers.", "a signer's name is printable"),
    (f"version: 1\nsigners:\n  {'n' * 129}: {{dct: {{root: first-use}}}}", 3, f"signers.{'n' * 129}", "at most 128"),
    ('version: 1\nsigners:\n  "a\\e[1m": {dct: {root: first-use}}', 3, "signers.a\x1b[1m", "printable"),
    (signer("{}"), 3, "signers.a", "a signer needs its scheme"),
    (signer("{notAfter: 2027-01-01}"), 3, "signers.a", "a signer needs its scheme"),
    (signer("{dct: {}}"), 3, "signers.a.dct", "needs root"),
    (signer("{dcd: {root: x}}"), 3, "signers.a.dcd", "unknown key 'dcd'"),
    (signer("{dct: {root: first-use, rule: x}}"), 3, "signers.a.dct.rule", "unknown key 'rule'"),
    (signer("{dct: {root: }}"), 3, "signers.a.dct.root", "a text is expected, not nothing"),
    (signer("{dct: {root: []}}"), 3, "signers.a.dct.root", "an empty list"),
    (signer("{dct: {root: 17}}"), 3, "signers.a.dct.root", "a key ID is a text"),
    (signer("{dct: {root: gone.pem}}"), 3, "signers.a.dct.root", "no such file: gone.pem"),
    (signer("{dct: {root: locked.pem}}"), 3, "signers.a.dct.root", "cannot read locked.pem: permission denied"),
    (signer("{dct: {root: alice.key}}"), 3, "signers.a.dct.root", "alice.key is a private key"),
    (signer("{dct: {root: notes.txt}}"), 3, "signers.a.dct.root", "notes.txt has no certificate"),
    (signer("{dct: {root: binary}}"), 3, "signers.a.dct.root", "binary is not text"),
    (signer(f"{{dct: {{root: '{KEY_ID[:-1]}'}}}}"), 3, "signers.a.dct.root", "no such file"),
    (signer("{dct: {root: '-----BEGIN x'}}"), 3, "signers.a.dct.root", "this text has no certificate"),
    (signer("{dct: {root: [root.pem, first-use]}}"), 3, "signers.a.dct.root", "stands alone"),
    (signer("{dct: {root: [root.pem, gone.pem]}}"), 3, "signers.a.dct.root[1]", "no such file"),
    (signer("{dct: {root: first-use, role: alice}}"), 3, "signers.a.dct.role", "'alice' is no delegation"),
    (signer("{dct: {root: first-use, role: targets/}}"), 3, "signers.a.dct.role", "no delegation"),
    (signer("{dct: {root: first-use, role: targets/A}}"), 3, "signers.a.dct.role", "no delegation"),
    (signer("{dct: {root: first-use, role: targets//a}}"), 3, "signers.a.dct.role", "no delegation"),
    (signer("{dct: {root: first-use, server: 'http://notary.test'}}"), 3, "signers.a.dct.server", "no https URL"),
    (signer("{dct: {root: first-use, server: 'http://127.evil.test'}}"), 3, "signers.a.dct.server", "no https URL"),
    (signer("{dct: {root: first-use, server: 'ftp://localhost'}}"), 3, "signers.a.dct.server", "no https URL"),
    (signer("{dct: {root: first-use, server: notary.test}}"), 3, "signers.a.dct.server", "no https URL"),
    (signer("{dct: {root: first-use, server: 'https://u:p@notary.test'}}"), 3, "signers.a.dct.server", "no https"),
    (signer("{dct: {root: first-use, server: 'https:///x'}}"), 3, "signers.a.dct.server", "no https URL"),
    (signer("{dct: {root: first-use, server: 'https://a b'}}"), 3, "signers.a.dct.server", "no valid host"),
    (signer("{dct: {root: first-use}, notAfter: soon}"), 3, "signers.a.notAfter", "'soon' is no date"),
    (signer("{dct: {root: first-use}, notAfter: '0001-01-01T00:00:00+23:00'}"), 3, "signers.a.notAfter", "no date"),
    (signer("{dct: {root: first-use}, notAfter: '2027-01-01T00:00:00'}"), 3, "signers.a.notAfter", "no time zone"),
    # rules
    (HEAD + "rules: []", 5, "rules", "an empty list"),
    (rules("{require: a}"), 6, "rules[0]", "a rule needs images"),
    (rules("{images: '**'}"), 6, "rules[0]", "exactly one of require, allow and deny"),
    (rules("{images: '**', require: a, deny: x}"), 6, "rules[0]", "exactly one of"),
    (rules("{images: '**', requires: a}"), 6, "rules[0].requires", "unknown key 'requires'"),
    (rules("{images: 'acme*/x', require: a}"), 6, "rules[0].images", "may mean a registry or an image"),
    (rules("{images: [a], require: a}"), 6, "rules[0].images", "a text is expected, not a list"),
    (rules("{images: '**', allow: }"), 6, "rules[0].allow", "a text is expected, not nothing"),
    (rules("{images: '**', allow: true}"), 6, "rules[0].allow", "a text is expected, not true"),
    (rules("{images: '**', require: a, until: 2027-01-01}"), 6, "rules[0].until", "until belongs to allow"),
    (rules("{images: '**', deny: x, until: 2027-01-01}"), 6, "rules[0].until", "until belongs to allow"),
    (rules("{images: '**', allow: x, until: 1}"), 6, "rules[0].until", "a text is expected, not 1"),
    (rules("{images: '**', allow: x, until: 2027-13-01}"), 6, "rules[0].until", "is no date"),
    (rules("{images: '**', allow: x, priority: high}"), 6, "rules[0].priority", "a number is expected"),
    (rules("{images: '**', allow: x, priority: 1001}"), 6, "rules[0].priority", "from -1000 to 1000"),
    (rules("{images: '**', allow: x, in: {}}"), 6, "rules[0].in", "in: needs namespaces"),
    (rules("{images: '**', allow: x, mode: loud}"), 6, "rules[0].mode", "'loud' is none of"),
    # requirements
    (rules("{images: '**', require: c}"), 6, "rules[0].require", "'c' is none of: a, b"),
    (rules("{images: '**', require: 1}"), 6, "rules[0].require", "a text is expected, not 1"),
    (rules("{images: '**', require: }"), 6, "rules[0].require", "a text is expected, not nothing"),
    (rules("{images: '**', require: []}"), 6, "rules[0].require", "an empty list"),
    (rules("{images: '**', require: {}}"), 6, "rules[0].require", "a signer needs its scheme"),
    (rules("{images: '**', require: {any: []}}"), 6, "rules[0].require.any", "an empty list"),
    (rules("{images: '**', require: {any: a}}"), 6, "rules[0].require.any", "a list is expected, not 'a'"),
    (rules("{images: '**', require: {any: [a, b], of: [a]}}"), 6, "rules[0].require.of", "unknown key 'of'"),
    (rules("{images: '**', require: {atLeast: 1}}"), 6, "rules[0].require", "atLeast and of go together"),
    (rules("{images: '**', require: {of: [a]}}"), 6, "rules[0].require", "atLeast and of go together"),
    (rules("{images: '**', require: {atLeast: 0, of: [a]}}"), 6, "rules[0].require.atLeast", "from 1 to 1"),
    (rules("{images: '**', require: {atLeast: 3, of: [a, b]}}"), 6, "rules[0].require.atLeast", "from 1 to 2"),
    (rules("{images: '**', require: [a, a]}"), 6, "rules[0].require", "the same part stands here twice"),
    (rules("{images: '**', require: {signer: a, untill: x}}"), 6, "rules[0].require.untill", "unknown key"),
    (rules("{images: '**', require: {signers: a}}"), 6, "rules[0].require.signers", "unknown key 'signers'"),
    (rules("{images: '**', require: {until: 2027-01-01}}"), 6, "rules[0].require", "a signer needs its scheme"),
    ("version: 1\nrules:\n- {images: '**', require: a}", 3, "rules[0].require", "the file names no signers"),
    # order
    (
        rules("{images: acme/pay, require: a}", "{images: '**', require: a}", "{images: acme/pay, require: b}"),
        8,
        "rules",
        "line 6 (docker.io/acme/pay) and line 8 (docker.io/acme/pay) say different things",
    ),
    # registries
    ("version: 1\nregistries: x", 2, "registries", "keys and values are expected"),
    ("version: 1\nregistries:\n  a.test: {}", 3, "registries.a.test", "nothing is said"),
    ("version: 1\nregistries:\n  a b: {login: docker-config}", 3, "registries.a b", "is no registry"),
    ("version: 1\nregistries:\n  a.test/X: {at: b.test}", 3, "registries.a.test/X", "is no registry"),
    ("version: 1\nregistries:\n  a.test: {at: 'https://b.test'}", 3, "registries.a.test.at", "is no registry"),
    ("version: 1\nregistries:\n  a.test: {at: b.test/}", 3, "registries.a.test.at", "is no registry"),
    (
        "version: 1\nregistries:\n  a.test: {realms: ['*.test']}",
        3,
        "registries.a.test.realms[0]",
        "is no host name",
    ),
    ("version: 1\nregistries:\n  a.test: {login: anyone}", 3, "registries.a.test.login", "none of: docker-config"),
    ("version: 1\nregistries:\n  a.test: {ca: keys/root.pub}", 3, "registries.a.test.ca", "a CA is a certificate"),
    ("version: 1\nregistries:\n  a.test: {ca: gone.pem}", 3, "registries.a.test.ca", "no such file"),
    (
        "version: 1\nregistries:\n  docker.io: {at: a.test}\n  index.docker.io: {at: b.test}",
        2,
        "registries",
        "the same registry",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "message"), MISTAKES)
def test_every_mistake_has_its_place(text: str, line: int, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    error = caught.value
    assert (error.file, error.line, error.path) == ("policy.yaml", line, path)
    assert message in str(error)
    assert error.code == Code.BAD_CONFIG
    assert error.exit_status == 2


HINTS = [
    ("version: 1\nunmatch: deny", "did you mean 'unmatched'?"),
    ("version: 1\nreplaces: cluster", "leave it out, or wait for a version that can"),
    (rules("{images: '**', require: [b, {any: [aa, b]}]}"), "did you mean 'a'?"),
    (signer("{dct: {}}"), "give a PEM file or key ID, or write root: first-use to believe the first root seen"),
    (signer("{dct: {root: locked.pem}}"), "chmod it"),
    (rules("{images: registry.k8s.io, require: a}"), "write registry.k8s.io/** for a registry"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_mistakes_say_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.hint.startswith(hint)


def test_a_message_begins_with_file_line_and_path() -> None:
    with pytest.raises(ConfigError) as caught:
        load("version: 1\nmode: on")
    assert str(caught.value) == "policy.yaml:2: mode: 'on' is none of: enforce, warn, audit"


def test_a_requirement_with_too_many_choices_is_refused() -> None:
    names = [f"s{number}" for number in range(20)]
    text = "version: 1\nsigners:\n" + "".join(
        f"  {n}: {{dct: {{root: first-use}}}}\n" for n in names
    )
    rule = f"rules:\n- images: '**'\n  require: {{atLeast: %d, of: [{', '.join(names)}]}}\n"
    assert load(text + rule % 4).rules
    with pytest.raises(ConfigError, match=f"184756 choices .*, at most {limits.POLICY_WAYS}"):
        load(text + rule % 10)


def test_too_many_rules_are_refused() -> None:
    text = "version: 1\nrules:\n" + "- {images: x, deny: y}\n" * (limits.POLICY_RULES + 1)
    with pytest.raises(ConfigError, match="10001 rules, at most 10000 are allowed"):
        load(text)


# The built-in layer ---------------------------------------------------------------------------------


def test_the_built_in_layer_is_content_trust_as_docker_has_it() -> None:
    layer = built_in()
    (rule,) = layer.rules
    signer_ = DctSigner(name="content-trust", first_use=True)
    assert layer.name == "content-trust"
    assert (str(rule.images), rule.requirement) == ("**", Vouched(signer=signer_))
    assert layer.signers == (signer_,)
    assert (layer.unmatched, layer.moved_tag, layer.last_good) == ("deny", "deny", None)
    assert (layer.accept_stale, layer.require_pin, layer.modes.at("cli")) == (
        True,
        False,
        "enforce",
    )


def test_only_the_built_in_layer_hears_the_environment() -> None:
    assert built_in(moved_tag="useSigned").moved_tag == "useSigned"
    with pytest.raises(
        ConfigError, match=r"COUNTERMARK_MOVED_TAG: 'maybe' is none of: deny, useSigned"
    ):
        built_in(moved_tag="maybe")
    assert load("version: 1").moved_tag == "deny"
