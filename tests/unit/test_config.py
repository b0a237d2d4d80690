"""The config file: what it may say, where each value comes from."""

import pytest

from countermark.config import KEYS, Config, Serve, Source, load, merge, parse
from countermark.core.errors import Code, ConfigError

FILE = """\
policy: policy.yaml
trustServer: https://notary.acme.test
dockerConfig: /srv/docker
movedTag: useSigned
serve:
  data: /srv/trust
  listen: 0.0.0.0:443
  tlsNames: [registry.acme.test, notary.acme.test]
  tlsCert: tls/cert.pem
  tlsKey: tls/key.pem
  masterKeyFile: /run/secrets/master
  htpasswd: users
  requireLogin: true
  allowAnonymousWrite: false
  acceptSparse: true
  sigstore: true
  issuers: issuers.yaml
  logDatabaseFile: /run/secrets/log-database
  logBucket: s3://our-tiles/team
  logBucketUrl: https://minio.acme.test
  serviceKeys: ["ca=pkcs11:token=acme;object=ca"]
  witnesses: [w1+5d2f+AQ== https://w1.acme.test]
  witnessesNeeded: 1
"""
PATH = "/etc/countermark/config.yaml"


def test_a_whole_file() -> None:
    config = merge([parse(FILE.encode(), PATH)])
    assert config == Config(
        policy="/etc/countermark/policy.yaml",
        trust_server="https://notary.acme.test",
        docker_config="/srv/docker",
        moved_tag="useSigned",
        serve=Serve(
            data="/srv/trust",
            listen="0.0.0.0:443",
            tls_names=("registry.acme.test", "notary.acme.test"),
            tls_cert="/etc/countermark/tls/cert.pem",
            tls_key="/etc/countermark/tls/key.pem",
            master_key_file="/run/secrets/master",
            htpasswd="/etc/countermark/users",
            require_login=True,
            allow_anonymous_write=False,
            accept_sparse=True,
            sigstore=True,
            issuers="/etc/countermark/issuers.yaml",
            log_database_file="/run/secrets/log-database",
            log_bucket="s3://our-tiles/team",
            log_bucket_url="https://minio.acme.test",
            service_keys=("ca=pkcs11:token=acme;object=ca",),
            witnesses=("w1+5d2f+AQ== https://w1.acme.test",),
            witnesses_needed=1,
        ),
        origins=tuple((key, PATH) for key in KEYS),
    )


def test_without_a_file_nothing_is_said() -> None:
    config = merge([])
    assert config == Config()
    assert config.lines() == [
        "policy: the policy files, else content trust as docker has it  (default)",
        "trustServer: docker's choice, by the image's registry  (default)",
        "dockerConfig: ~/.docker  (default)",
        "movedTag: deny  (default)",
        "serve.data: $XDG_DATA_HOME/countermark  (default)",
        "serve.listen: 127.0.0.1:5443  (default)",
        "serve.tlsNames: the address listened on  (default)",
        "serve.tlsCert: one from our own CA  (default)",
        "serve.tlsKey: that of our own certificate  (default)",
        "serve.masterKeyFile: master.key in the data folder  (default)",
        "serve.htpasswd: no users  (default)",
        "serve.requireLogin: false  (default)",
        "serve.allowAnonymousWrite: false  (default)",
        "serve.acceptSparse: false  (default)",
        "serve.sigstore: false  (default)",
        "serve.issuers: our own issuer alone  (default)",
        "serve.logDatabaseFile: log.db in the data folder  (default)",
        "serve.logBucket: folders in the data folder  (default)",
        "serve.logBucketUrl: AWS_ENDPOINT_URL_S3, else Amazon's  (default)",
        "serve.serviceKeys: in the data folder  (default)",
        "serve.witnesses: nobody  (default)",
        "serve.witnessesNeeded: all of them  (default)",
    ]


def test_the_later_place_wins_key_by_key_and_each_value_says_its_own() -> None:
    files = {
        PATH: b"trustServer: https://a.test\nserve: {listen: '0.0.0.0:443', requireLogin: true}",
        "/home/ann/.config/countermark/config.yaml": b"serve: {requireLogin: false, tlsNames: [a, b]}",
    }
    missing = "/etc/xdg/countermark/config.yaml"
    flag = Source(origin="--listen", settings=(("serve.listen", "127.0.0.1:1"),))
    config = merge([*load([*list(files)[:1], missing, *list(files)[1:]], files.get), flag])
    assert config.trust_server == "https://a.test"
    assert config.serve == Serve(listen="127.0.0.1:1", tls_names=("a", "b"), require_login=False)
    assert [line for line in config.lines() if "(default)" not in line] == [
        f"trustServer: https://a.test  ({PATH})",
        "serve.listen: 127.0.0.1:1  (--listen)",
        "serve.tlsNames: a, b  (/home/ann/.config/countermark/config.yaml)",
        "serve.requireLogin: false  (/home/ann/.config/countermark/config.yaml)",
    ]


def test_what_is_shown_is_harmless() -> None:
    config = merge([Source(origin="--data", settings=(("serve.data", "x\x1b[2J"),))])
    assert "serve.data: x\\x1b[2J  (--data)" in config.lines()
    shown = merge([Source(origin="-f", settings=(("serve.requireLogin", True),))]).lines()
    assert "serve.requireLogin: true  (-f)" in shown


def test_paths_are_relative_to_the_file() -> None:
    assert merge([parse(b"policy: p.yaml", "config.yaml")]).policy == "p.yaml"
    assert merge([parse(b"policy: p.yaml", "conf/config.yaml")]).policy == "conf/p.yaml"
    assert merge([parse(b"policy: /p.yaml", "conf/config.yaml")]).policy == "/p.yaml"


MISTAKES = [
    ("polic: x", 1, "polic", "unknown key 'polic'"),
    ("serve:\n  port: 1", 2, "serve.port", "unknown key 'port'"),
    ("serve: 1", 1, "serve", "keys and values are expected"),
    ("serve.data: x", 1, "serve.data", "unknown key 'serve.data'"),
    ("policy: 1", 1, "policy", "a text is expected"),
    ("policy: ~/p.yaml", 1, "policy", "~ is not expanded here"),
    ("policy:", 1, "policy", "a text is expected"),
    ("trustServer: notary.test", 1, "trustServer", "no https URL"),
    ("movedTag: ignore", 1, "movedTag", "none of: deny, useSigned"),
    ("serve: {listen: 5443}", 1, "serve.listen", "a text is expected"),
    ("serve: {listen: localhost}", 1, "serve.listen", "'localhost' is no address"),
    ("serve: {listen: ':443'}", 1, "serve.listen", "is no address"),
    ("serve: {listen: 'a:65536'}", 1, "serve.listen", "is no address"),
    ("serve: {listen: 'a:1234567'}", 1, "serve.listen", "is no address"),
    ("serve: {listen: 'a:x'}", 1, "serve.listen", "is no address"),
    ("serve: {tlsNames: a}", 1, "serve.tlsNames", "a list is expected"),
    ("serve: {requireLogin: yes}", 1, "serve.requireLogin", "true or false is expected"),
    ("policy: a\npolicy: b", 2, "policy", "stands here again"),
]


@pytest.mark.parametrize(("text", "line", "path", "message"), MISTAKES)
def test_every_mistake_has_its_place(text: str, line: int, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), "config.yaml")
    error = caught.value
    assert message in str(error)
    assert (error.file, error.line, error.code) == ("config.yaml", line, Code.BAD_CONFIG)
    if "again" not in message:
        assert error.path == path


BAD_SOURCES = [
    ("serve.port", "1", "--flag: there is no setting serve.port"),
    ("policy", True, "--flag: policy cannot be True"),
    ("serve.requireLogin", "yes", "--flag: serve.requireLogin cannot be 'yes'"),
    ("serve.tlsNames", "a", "--flag: serve.tlsNames cannot be 'a'"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD_SOURCES)
def test_sources_say_only_what_is_a_setting(key: str, value: str | bool, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Source(origin="--flag", settings=((key, value),))
    assert str(caught.value) == message
