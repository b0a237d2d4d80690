"""Policies as values: requirements, layers that fit together, where registries are."""

import pytest

from claims import all_of, require, signer, some, vouched
from countermark.core.errors import ConfigError
from countermark.core.reference import ImageReference, Repository
from countermark.policy.model import (
    Layer,
    Modes,
    Policy,
    RegistryPlace,
    Requirement,
    Rule,
    signers_of,
)
from countermark.policy.pattern import Pattern

A, B, C = vouched("a"), vouched("b"), vouched("c")

WAYS = [
    (A, 1),
    (all_of(A, B, C), 1),
    (some(1, A, B, C), 3),
    (some(2, A, B, C), 3),
    (all_of(some(1, A, B), some(2, A, B, C)), 6),
    (some(2, some(1, A, B), some(1, A, B, C), C), 2 * 3 + 2 * 1 + 3 * 1),
]


@pytest.mark.parametrize(("requirement", "ways"), WAYS)
def test_choices_of_signers_are_counted(requirement: Requirement, ways: int) -> None:
    assert requirement.ways == ways


def test_signers_are_named_once_in_order() -> None:
    assert [s.name for s in signers_of(all_of(B, some(1, A, B), C))] == ["b", "a", "c"]


BAD_RULES = [
    {"effect": "require"},
    {"effect": "require", "requirement": A, "reason": "because"},
    {"effect": "allow"},
    {"effect": "deny"},
    {"effect": "allow", "requirement": A, "reason": "because"},
    {"effect": "ignore", "reason": "because"},
]


@pytest.mark.parametrize("fields", BAD_RULES)
def test_half_rules_cannot_be_made(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Rule(images=Pattern.parse("**"), **fields)  # type: ignore[arg-type]


def test_modes() -> None:
    modes = Modes(default="warn", points=(("docker", "enforce"),))
    assert [modes.at(point) for point in ("cli", "docker")] == ["warn", "enforce"]


# Layers together ------------------------------------------------------------------------------------


def test_a_policy_has_a_layer() -> None:
    with pytest.raises(ConfigError, match="at least one layer"):
        Policy(layers=())


def test_one_name_is_one_party_in_all_layers() -> None:
    host = Layer(name="host.yaml", signers=(signer("a"),))
    user = Layer(name="user.yaml", rules=(require(vouched("a"), line=3),))
    assert Policy(layers=(host, user)).signers == (signer("a"),)
    other = Layer(name="other.yaml", signers=(signer("a", role="targets/a"),))
    with pytest.raises(ConfigError) as caught:
        Policy(layers=(host, user, other))
    assert str(caught.value) == "other.yaml: signer 'a' is another party than in host.yaml"
    in_place = Layer(
        name="place.yaml",
        rules=(require(A), require(vouched("a").replace(signer=signer("a", server="https://x")))),
    )
    with pytest.raises(
        ConfigError, match=r"place.yaml: signer 'a' is another party than in place.yaml"
    ):
        Policy(layers=(in_place,))


def test_pins_can_be_required_of_all_layers() -> None:
    policy = Policy(layers=(Layer(name="a"), Layer(name="b", require_pin=True)))
    assert [layer.require_pin for layer in policy.with_pins_required().layers] == [True, True]


HUB = RegistryPlace(scope="docker.io", at="mirror.acme.test:5000/hub", line=1)
ACME = RegistryPlace(scope="docker.io/acme", ca="PEM", line=2)
PLACES = Policy(layers=(Layer(name="a", registries=(HUB,)), Layer(name="b", registries=(ACME,))))

LOCATED = [
    ("alpine", "docker.io", "mirror.acme.test:5000/hub/library/alpine"),
    ("acme/pay", "docker.io/acme", "docker.io/acme/pay"),
    ("acmeta/pay", "docker.io", "mirror.acme.test:5000/hub/acmeta/pay"),
    ("quay.io/a", None, None),
    ("docker.io.evil.test/a", None, None),
]


@pytest.mark.parametrize(("image", "scope", "place"), LOCATED)
def test_where_a_repository_really_is(image: str, scope: str | None, place: str | None) -> None:
    repository = ImageReference.parse(image).repository
    found = PLACES.place_of(repository)
    assert (found.scope if found else None) == scope
    assert (str(found.locate(repository)) if found else None) == place


def test_a_path_may_move_as_a_whole() -> None:
    place = RegistryPlace(scope="ghcr.io/acme", at="registry.acme.test")
    there = place.locate(Repository(registry="ghcr.io", path="acme/pay"))
    assert str(there) == "registry.acme.test/pay"


def test_layers_must_agree_on_where_a_registry_is() -> None:
    same = Layer(name="c", registries=(HUB.replace(line=9),))
    assert Policy(layers=(*PLACES.layers, same)).place_of(
        Repository(registry="docker.io", path="x")
    )
    other = Layer(name="c", registries=(HUB.replace(at="elsewhere.test", line=9),))
    with pytest.raises(ConfigError) as caught:
        Policy(layers=(*PLACES.layers, other))
    assert str(caught.value) == "c:9: registry docker.io is elsewhere in a"
