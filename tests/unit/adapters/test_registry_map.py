"""Where registries really are."""

import pytest

from countermark.adapters.registry_map import RegistryMap, RegistryPlace
from countermark.core.errors import Code, ConfigError, InputError
from countermark.core.reference import ImageReference

PLACES = {
    "docker.io": RegistryPlace(at="mirror.test:5000/hub", ca_texts=("a PEM text",)),
    "ghcr.io/acme": RegistryPlace(at="store.test/sigs", login="none"),
    "quay.io": RegistryPlace(realms=("sso.test",)),
    "moved.test/one/app": RegistryPlace(at="docker.io/library"),
}


@pytest.mark.parametrize(
    ("reference", "host", "path", "login"),
    [
        ("alpine", "mirror.test:5000", "hub/library/alpine", "mirror.test:5000"),
        ("ghcr.io/acme/app", "store.test", "sigs/app", ""),
        ("ghcr.io/acme/deep/app", "store.test", "sigs/deep/app", ""),
        ("ghcr.io/acmeother/app", "ghcr.io", "acmeother/app", "ghcr.io"),
        ("ghcr.io/other/app", "ghcr.io", "other/app", "ghcr.io"),
        ("quay.io/x/y", "quay.io", "x/y", "quay.io"),
        ("moved.test/one/app", "registry-1.docker.io", "library/app", "docker.io"),
        ("localhost:5000/x", "localhost:5000", "x", "localhost:5000"),
    ],
)
def test_places(reference: str, host: str, path: str, login: str) -> None:
    target = RegistryMap(PLACES).target(ImageReference.parse(reference).repository)
    assert (target.host, target.path, target.login_for) == (host, path, login)


def test_docker_hub_as_it_is() -> None:
    target = RegistryMap().target(ImageReference.parse("alpine").repository)
    assert (target.host, target.path) == ("registry-1.docker.io", "library/alpine")
    assert target.login_for == "docker.io"


@pytest.mark.parametrize(
    "at", ["a b", "https://a.test", "user@a.test", "a.test/Upper", "a.test//x", "a.test:x", "/x"]
)
def test_places_that_are_none(at: str) -> None:
    with pytest.raises((ConfigError, InputError)):
        RegistryPlace(at=at)


def test_a_login_that_is_none() -> None:
    with pytest.raises(ConfigError) as caught:
        RegistryPlace(login="whatever")
    assert caught.value.code == Code.BAD_CONFIG


@pytest.mark.parametrize("name", ["", "a.test/Upper", "a b", "https://a.test"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RegistryMap({name: RegistryPlace()})
    assert caught.value.code == Code.BAD_CONFIG
