"""To whom a login may be shown."""

import pytest

from countermark.adapters.http_url import Url
from countermark.adapters.registry_realms import is_usable, may_see_login


@pytest.mark.parametrize(
    ("realm", "home", "allowed"),
    [
        # as registries are: docker.io, ghcr.io, quay.io, gitlab, ECR public, DigitalOcean, Aliyun, Harbor
        ("auth.docker.io", "registry-1.docker.io", True),
        ("auth.docker.io", "notary.docker.io", True),
        ("ghcr.io", "ghcr.io", True),
        ("quay.io", "quay.io", True),
        ("gitlab.com", "registry.gitlab.com", True),
        ("public.ecr.aws", "public.ecr.aws", True),
        ("api.digitalocean.com", "registry.digitalocean.com", True),
        ("dockerauth.cn-hangzhou.aliyuncs.com", "registry.cn-hangzhou.aliyuncs.com", True),
        ("gitlab.example.co.uk", "registry.example.co.uk", True),
        ("example.co.uk", "registry.example.co.uk", True),
        ("localhost", "127.0.0.1", True),
        # and as they should not be
        ("evil.test", "registry.example.test", False),
        ("api.scaleway.com", "rg.fr-par.scw.cloud", False),
        ("evil.co.uk", "registry.co.uk", False),
        ("co.uk", "registry.co.uk", False),
        ("evil.com.au", "registry.com.au", False),
        ("com", "registry.com", False),
        ("evil.com", "registry.com", False),
        ("io", "ghcr.io", False),
        ("evil.io", "ghcr.io", False),
        ("evil.azurecr.io", "mine.azurecr.io", False),
        ("evil.github.io", "mine.github.io", False),
        ("evil.s3.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com", False),
        ("evil.other.docker.io", "registry-1.docker.io", False),
        ("deep.registry.example.test", "registry.example.test", False),
        ("docker.io.evil.test", "registry-1.docker.io", False),
        ("evildocker.io", "registry-1.docker.io", False),
        ("192.0.2.2", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("localhost", "registry.example.test", False),
        ("evil.test", "localhost", False),
        ("evil", "registry", False),
    ],
)
def test_who_belongs_together(realm: str, home: str, allowed: bool) -> None:
    assert may_see_login(realm, (home,), ()) is allowed


def test_the_configuration_may_allow_more() -> None:
    homes = ("rg.fr-par.scw.cloud",)
    assert may_see_login("api.scaleway.com", homes, ("api.scaleway.com",))
    assert not may_see_login("evil.scaleway.com", homes, ("api.scaleway.com",))


@pytest.mark.parametrize(
    ("realm", "server", "usable"),
    [
        ("https://auth.test/t", "https://registry.test/", True),
        ("http://auth.test/t", "https://registry.test/", False),
        ("http://auth.test/t", "http://127.0.0.1:5000/", False),
        ("http://127.0.0.1:5001/t", "https://registry.test/", False),
        ("https://localhost/t", "https://registry.test/", False),
        ("http://127.0.0.1:5001/t", "http://localhost:5000/", True),
        ("https://auth.test/t", "http://localhost:5000/", True),
    ],
)
def test_where_a_registry_may_send_us(realm: str, server: str, usable: bool) -> None:
    assert is_usable(Url.parse(realm), Url.parse(server)) is usable
