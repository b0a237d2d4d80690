"""Keys in Kubernetes secrets, against a server of ours that speaks the core interface; and which cluster is asked."""

import json
import ssl
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.adapters import kubernetes_config
from countermark.adapters.http_client import HttpClient
from countermark.adapters.kubernetes_config import Cluster
from countermark.adapters.kubernetes_keys import KubernetesKeys
from countermark.core.errors import (
    Code,
    ConfigError,
    CountermarkError,
    InputError,
    KeyAccessError,
    UnavailableError,
)
from countermark.proofs import cosign_keys, public_keys, signatures, signing_keys
from servers import Asked, Authority, Server, answer, handling

pytestmark = pytest.mark.slow

KEY = signing_keys.generate()
STORED = {
    "cosign.key": cosign_keys.encode(KEY, b"secret"),
    "cosign.pub": public_keys.encode(KEY.public),
    "cosign.password": b"secret",
}
TOKEN = "ey.token"
REFERENCE = "k8s://ci/release"


def said(value: object, status: int = 200) -> bytes:
    return answer(status, json.dumps(value).encode())


class Secrets:
    """The secrets of one namespace."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, object]] = {"release": self.secret(STORED)}
        self.token = TOKEN
        self.answers: dict[str, bytes] = {}

    @staticmethod
    def secret(data: dict[str, bytes]) -> dict[str, object]:
        return {"kind": "Secret", "data": {k: b64encode(v).decode() for k, v in data.items()}}

    def handle(self, asked: Asked) -> bytes:
        if self.token and asked.header("authorization") != f"Bearer {self.token}":
            return said({"kind": "Status", "message": "Unauthorized", "code": 401}, 401)
        if asked.path in self.answers:
            return self.answers[asked.path]
        folder = "/api/v1/namespaces/ci/secrets"
        if asked.method == "POST" and asked.path == folder:
            found = json.loads(asked.body)
            self.stored[found["metadata"]["name"]] = found
            return said(found, 201)
        name = asked.path.removeprefix(f"{folder}/")
        if asked.method != "GET" or name not in self.stored:
            return said({"kind": "Status", "message": f'secrets "{name}" not found'}, 404)
        return said(self.stored[name])


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def server(secrets: Secrets) -> Iterator[Server]:
    with Server(handling(secrets.handle)) as running:
        yield running


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


CONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts:
- name: there
  context: {{cluster: none, user: none}}
- name: here
  context:
    cluster: kind
    user: me
    namespace: other
clusters:
- name: kind
  cluster:
    server: {server}
{cluster}
users:
- name: me
  user:
{user}
"""


def configured(
    folder: Path, server: str, user: str = f"token: {TOKEN}", cluster: str = ""
) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    text = CONFIG.format(
        server=server,
        cluster="".join(f"    {line}\n" for line in cluster.splitlines()),
        user="".join(f"    {line}\n" for line in user.splitlines()),
    )
    (folder / "config").write_text(text)
    return {"KUBECONFIG": str(folder / "config")}


def keys(client: HttpClient, environment: dict[str, str], home: Path) -> KubernetesKeys:
    return KubernetesKeys(client, environment, str(home))


# Secrets ------------------------------------------------------------------------------------------------------


def test_a_secret(client: HttpClient, server: Server, tmp_path: Path) -> None:
    found = keys(client, configured(tmp_path, f"{server.url}/"), tmp_path)
    assert found.public_key(REFERENCE) == KEY.public
    assert signatures.verify(KEY.public, b"m", found.signing_key(REFERENCE).sign(b"m"))
    assert {asked.path for asked in server.asked} == {"/api/v1/namespaces/ci/secrets/release"}


def test_a_new_secret(client: HttpClient, secrets: Secrets, server: Server, tmp_path: Path) -> None:
    found = keys(client, configured(tmp_path, server.url), tmp_path)
    key = signing_keys.generate("ecdsa-p384")
    found.store("k8s://ci/new", key, b"\xff")
    assert found.signing_key("k8s://ci/new").public_der == key.public.der
    stored = secrets.stored["new"]
    assert stored["immutable"] is True
    assert isinstance(stored["data"], dict)
    assert b64decode(stored["data"]["cosign.password"]) == b"\xff"
    with pytest.raises(KeyAccessError) as caught:
        found.store("k8s://ci/new", KEY, b"")
    assert caught.value.code == Code.KEY_EXISTS
    assert found.public_key("k8s://ci/new") == key.public
    secrets.token = "another"
    with pytest.raises(KeyAccessError) as caught:
        found.store("k8s://ci/newer", KEY, b"")
    assert caught.value.code == Code.REFUSED


PLACE = "/api/v1/namespaces/ci/secrets/release"


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (said({"message": "forbidden"}, 403), KeyAccessError, Code.REFUSED),
        (said({"message": "none"}, 404), KeyAccessError, Code.NOT_FOUND),
        (answer(503), UnavailableError, Code.UNAVAILABLE),
        (said({"data": None}), KeyAccessError, Code.NOT_FOUND),
        (said({"data": {}}), KeyAccessError, Code.NOT_FOUND),
        (said({"data": []}), UnavailableError, Code.MALFORMED),
        (said({"data": {"cosign.key": "*", "cosign.pub": "*"}}), UnavailableError, Code.MALFORMED),
        (said({"data": {"cosign.key": 1, "cosign.pub": 1}}), UnavailableError, Code.MALFORMED),
        (
            said({"data": {"cosign.key": "AAAA", "cosign.pub": "AAAA", "cosign.password": ""}}),
            KeyAccessError,
            Code.MALFORMED,
        ),
    ],
)
def test_secrets_without_a_key(
    client: HttpClient,
    secrets: Secrets,
    server: Server,
    tmp_path: Path,
    content: bytes,
    kind: type[CountermarkError],
    code: Code,
) -> None:
    secrets.answers[PLACE] = content
    found = keys(client, configured(tmp_path, server.url), tmp_path)
    for ask in (found.public_key, found.signing_key):
        with pytest.raises(kind) as caught:
            ask(REFERENCE)
        assert caught.value.code == code
        assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "reference",
    ["k8s://", "k8s://a", "k8s://a/b/c", "k8s:///b", "k8s://a/", "k8s://../a", "k8s://a/B", "k8s://a/b?c", "k8s://a/-b"],
)  # fmt: skip
def test_references_that_are_none(client: HttpClient, tmp_path: Path, reference: str) -> None:
    with pytest.raises(InputError, match="should be in the format k8s://<namespace>/<secret>"):
        keys(client, {}, tmp_path).public_key(reference)


# Who we are -----------------------------------------------------------------------------------------------------


def test_a_client_certificate(client: HttpClient, secrets: Secrets, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(client=True)
    secrets.token = ""
    text = b64encode(authority.file.read_bytes()).decode()
    files = f"client-certificate: {certificate.name}\nclient-key: {key}"
    given = "\n".join(
        f"{name}: {b64encode(path.read_bytes()).decode()}"
        for name, path in (("client-certificate-data", certificate), ("client-key-data", key))
    )
    with Server(handling(secrets.handle), tls=authority.context(ask_client=True)) as server:
        for user in (files, given):
            environment = configured(
                tmp_path, server.url, user, f"certificate-authority-data: {text}"
            )
            assert keys(client, environment, tmp_path).public_key(REFERENCE) == KEY.public
        by_file = configured(
            tmp_path, server.url, given, f"certificate-authority: {authority.file.name}"
        )
        assert keys(client, by_file, tmp_path).public_key(REFERENCE) == KEY.public
        unknown = configured(tmp_path, server.url, given)
        with pytest.raises(UnavailableError, match="unknown authority"):
            keys(client, unknown, tmp_path).public_key(REFERENCE)


def test_a_servers_certificate_is_always_checked(
    client: HttpClient, secrets: Secrets, tmp_path: Path
) -> None:
    context: ssl.SSLContext = Authority(tmp_path).context()
    with Server(handling(secrets.handle), tls=context) as server:
        environment = configured(tmp_path, server.url, cluster="insecure-skip-tls-verify: true")
        with pytest.raises(ConfigError, match="insecure-skip-tls-verify is not obeyed"):
            keys(client, environment, tmp_path).public_key(REFERENCE)
        assert not server.asked
    harmless = configured(tmp_path, "https://h", cluster="insecure-skip-tls-verify: false")
    assert kubernetes_config.find(harmless, "/nonexistent").server == "https://h"


def found(environment: dict[str, str], home: Path) -> Cluster:
    return kubernetes_config.find(environment, str(home), str(home / "account"))


def test_a_token_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    assert (
        found(configured(tmp_path, "https://h", "tokenFile: token"), tmp_path).token
        == "from a file"
    )
    with pytest.raises(KeyAccessError) as caught:
        found(configured(tmp_path, "https://h", "tokenFile: absent"), tmp_path)
    assert caught.value.code == Code.NOT_FOUND


def test_the_first_file_counts(tmp_path: Path) -> None:
    first = configured(tmp_path / "a", "https://a", "token: a")["KUBECONFIG"]
    second = configured(tmp_path / "b", "https://b", "token: b")["KUBECONFIG"]
    assert found({"KUBECONFIG": f"{first}:{second}"}, tmp_path).server == "https://a"
    empty = tmp_path / "empty"
    empty.write_text("\n")
    context = tmp_path / "context"
    context.write_text("current-context: here\nusers: []\n")
    paths = f"/nonexistent:{empty}:{context}:{second}:"
    assert found({"KUBECONFIG": paths}, tmp_path) == Cluster(server="https://b", token="b")


def test_the_home_folder(tmp_path: Path) -> None:
    configured(tmp_path / ".kube", "https://home")
    assert found({}, tmp_path).server == "https://home"


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_a_pods_account(tmp_path: Path, host: str, server: str) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("pod\n")
    environment = {"KUBERNETES_SERVICE_HOST": host}
    with pytest.raises(KeyAccessError, match="no Kubernetes cluster is configured"):
        found(environment, tmp_path)
    (account / "ca.crt").write_text("PEM")
    assert found(environment, tmp_path) == Cluster(server=server, token="pod", ca="PEM")
    assert found(environment | {"KUBERNETES_SERVICE_PORT": "6443"}, tmp_path).server.endswith(
        ":6443"
    )
    with pytest.raises(KeyAccessError):
        found({}, tmp_path)


def test_a_cluster_shows_no_secrets() -> None:
    cluster = Cluster(server="https://h", token="t0ken", key="k3y")
    assert repr(cluster) == "Cluster('https://h')"


# Programs that print credentials --------------------------------------------------------------------------------

EXEC = """\
exec:
  apiVersion: client.authentication.k8s.io/v1
  command: {command}
  args: [get-token, -x]
  env:
  - name: WHO
    value: me
  provideClusterInfo: {info}
"""


def helper(folder: Path, printed: str, status: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / "helper"
    file.write_text(
        f'#!/bin/sh\necho "$*|$WHO|$KUBERNETES_EXEC_INFO" > {folder}/asked\n'
        f"/bin/cat <<'END'\n{printed}\nEND\nexit {status}\n"
    )
    file.chmod(0o755)


GIVEN = '{"kind": "ExecCredential", "status": {"token": "printed", "clientKeyData": null}}'


@pytest.mark.parametrize(("command", "info"), [("helper", "true"), ("./bin/helper", "false")])
def test_a_program(tmp_path: Path, command: str, info: str) -> None:
    helper(tmp_path / "bin", GIVEN)
    user = EXEC.format(command=command, info=info)
    environment = configured(tmp_path, "https://h", user) | {"PATH": str(tmp_path / "bin")}
    assert found(environment, tmp_path).token == "printed"
    words, who, asked = (tmp_path / "bin/asked").read_text().strip().split("|")
    assert (words, who) == ("get-token -x", "me")
    spec = json.loads(asked)["spec"]
    assert spec["interactive"] is False
    assert spec.get("cluster", {}).get("server") == ("https://h" if info == "true" else None)


@pytest.mark.parametrize(
    ("printed", "status", "code"),
    [
        (GIVEN, 1, Code.NO_KEY),
        ("", 0, Code.MALFORMED),
        ("{}", 0, Code.MALFORMED),
        ('{"status": {"token": 1}}', 0, Code.MALFORMED),
    ],
)
def test_programs_that_give_none(tmp_path: Path, printed: str, status: int, code: Code) -> None:
    helper(tmp_path / "bin", printed, status)
    user = EXEC.format(command="helper", info="false")
    environment = configured(tmp_path, "https://h", user) | {"PATH": str(tmp_path / "bin")}
    with pytest.raises(KeyAccessError) as caught:
        found(environment, tmp_path)
    assert caught.value.code == code


# Files that are wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ("auth-provider: {name: gcp}", "", "auth-provider is not obeyed"),
        ("username: me\npassword: x", "", "username is not obeyed"),
        ("token: x", "proxy-url: http://p", "proxy-url is not obeyed"),
        ("token: x", "tls-server-name: other", "tls-server-name is not obeyed"),
        ("token: x", "certificate-authority-data: '*'", "not base64"),
        ("token: [x]", "", "a text is expected"),
        (EXEC.replace("k8s.io/v1", "k8s.io/v1alpha1").format(command="x", info="false"), "", "apiVersion is none of"),
        ("token: x\ntoken: y", "", "token"),
    ],
)  # fmt: skip
def test_what_is_not_obeyed_is_refused(tmp_path: Path, user: str, cluster: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        found(configured(tmp_path, "https://h", user, cluster), tmp_path)


@pytest.mark.parametrize("command", ["absent", "''"])
def test_a_program_that_is_not_there(tmp_path: Path, command: str) -> None:
    user = EXEC.format(command=command, info="false")
    with pytest.raises(KeyAccessError) as caught:
        found(configured(tmp_path, "https://h", user), tmp_path)
    assert caught.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Config", "no current-context"),
        ("current-context: ''", "no current-context"),
        ("current-context: x", "no context is named 'x'"),
        ("current-context: x\ncontexts: 1", "no context is named 'x'"),
        ("current-context: x\ncontexts: [1]", "keys and values are expected"),
        ("current-context: x\ncontexts: [{name: x}]", "no context is named 'x'"),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]",
            "no cluster is named 'c'",
        ),
        ("current-context: x\ncontexts: [{name: x, context: {}}]", "no cluster is named ''"),
        ("- a", "keys and values are expected"),
        ("a: &b", "YAML|anchor|alias"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigError, match=words):
        found({"KUBECONFIG": str(tmp_path / "config")}, tmp_path)
