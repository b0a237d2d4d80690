"""Which Kubernetes cluster, and who we are there: kubeconfig files, else a pod's own account.

As kubectl has it: the files of KUBECONFIG, or ``~/.kube/config``, where of each name the first one counts; tokens,
client certificates and programs that print credentials (``exec``). What would switch off the check of the server's
certificate is refused. The files are the user's own, and whoever can write them decides whom we ask and what we run.
"""

import os
import shutil

from countermark.adapters import key_services, process, storage
from countermark.core import limits
from countermark.core.errors import Code, ConfigError, KeyAccessError, MalformedError
from countermark.core.value import Value
from countermark.formats import strict_json, strict_yaml
from countermark.formats.strict_json import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.formats.strict_yaml import Item

_FILE_BYTES = 1024 * 1024
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_NOT_TAKEN = {
    "insecure-skip-tls-verify": "the server's certificate is always verified",
    "tls-server-name": "the server's certificate must be for the host in its address",
    "proxy-url": "set HTTPS_PROXY instead",
    "auth-provider": "kubectl dropped it too; use exec",
    "username": "Kubernetes dropped passwords",
}


class Cluster(Value):
    """Whom to ask, and how.

    Attributes:
        server: its address.
        ca: PEM text of the authority that its certificate is from; "" for the system's.
        token: what shows who we are; or certificate and key (PEM texts) do.
    """

    server: str
    ca: str = ""
    token: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Cluster({self.server!r})"  # without its secrets


def find(environment: "Mapping[str, str]", home: str, account: str = _ACCOUNT) -> Cluster:
    """Find the cluster that kubectl would ask; ``account`` is where a pod has its account.

    Raises:
        ConfigError: a file is wrong, or asks for what we do not do.
        KeyAccessError: there is no cluster, or its credentials are not to be had.
    """
    named = [path for path in environment.get("KUBECONFIG", "").split(":") if path]
    found = []
    for path in named or [f"{home}/.kube/config"]:
        content = storage.read(path, _FILE_BYTES)
        if content is not None and content.strip():
            found.append((path, strict_yaml.parse(content, path).members()))
    if found:
        return _configured(found, environment)
    host = environment.get("KUBERNETES_SERVICE_HOST")
    token = storage.read(f"{account}/token", limits.TOKEN_BYTES)
    ca = storage.read(f"{account}/ca.crt", _FILE_BYTES)
    if not host or token is None or ca is None:
        raise KeyAccessError(
            "no Kubernetes cluster is configured", hint="set KUBECONFIG, or run inside a pod"
        )
    port = environment.get("KUBERNETES_SERVICE_PORT") or "443"
    host = f"[{host}]" if ":" in host else host
    return Cluster(server=f"https://{host}:{port}", ca=_ascii(ca), token=_ascii(token).strip())


def _ascii(content: bytes) -> str:
    return content.decode("ascii", "replace")


def _configured(
    files: "list[tuple[str, dict[str, Item]]]", environment: "Mapping[str, str]"
) -> Cluster:
    current = next((f["current-context"].content for _, f in files if "current-context" in f), None)
    if not isinstance(current, str) or not current:
        raise ConfigError("no current-context", file=files[0][0], hint="kubectl config use-context")
    _, context = _named(files, "contexts", "context", current)
    path, cluster = _named(files, "clusters", "cluster", _text(context, "cluster"))
    user_path, user = _named(files, "users", "user", _text(context, "user"))
    for name, reason in _NOT_TAKEN.items():
        for members in (cluster, user):
            if name in members and members[name].content not in (False, None, ""):
                members[name].refuse(f"{name} is not obeyed: {reason}")
    found = Cluster(
        server=_text(cluster, "server"), ca=_pem(cluster, "certificate-authority", path)
    )
    return _as_user(found, user, user_path, environment)


def _named(
    files: "list[tuple[str, dict[str, Item]]]", kind: str, member: str, name: str
) -> "tuple[str, dict[str, Item]]":
    """The first entry of a name, and the file that it is in."""
    for path, file in files:
        entries = file[kind].content if kind in file else None
        for entry in entries if isinstance(entries, list) else []:
            members = entry.members()
            if "name" in members and members["name"].content == name and member in members:
                return path, members[member].members()
    raise ConfigError(f"no {member} is named {name[:80]!r}", file=files[0][0])


def _text(members: "dict[str, Item]", name: str) -> str:
    """A text, "" where there is none."""
    return members[name].text() if name in members and members[name].content else ""


def _pem(members: "dict[str, Item]", name: str, path: str) -> str:
    """A PEM text, given in place (base64) or by a file's name, which counts from the kubeconfig's folder."""
    if data := _text(members, f"{name}-data"):
        try:
            return _ascii(key_services.of_base64(data))
        except MalformedError as error:
            members[f"{name}-data"].refuse(str(error))
    if not (file := _text(members, name)):
        return ""
    return _ascii(_read(os.path.join(os.path.dirname(path), file)))


def _read(path: str) -> bytes:
    content = storage.read(path, _FILE_BYTES)
    if content is None:
        raise KeyAccessError(f"open {path}: no such file or directory", code=Code.NOT_FOUND)
    return content


def _as_user(
    cluster: Cluster, user: "dict[str, Item]", path: str, environment: "Mapping[str, str]"
) -> Cluster:
    token = _text(user, "token")
    if file := _text(user, "tokenFile"):
        token = _ascii(_read(os.path.join(os.path.dirname(path), file))).strip()
    cluster = cluster.replace(
        token=token,
        certificate=_pem(user, "client-certificate", path),
        key=_pem(user, "client-key", path),
    )
    return _by_program(cluster, user["exec"], path, environment) if "exec" in user else cluster


def _by_program(
    cluster: Cluster, item: "Item", path: str, environment: "Mapping[str, str]"
) -> Cluster:
    """Take the credentials that a program prints (client.authentication.k8s.io)."""
    members = item.members()
    version, command = _text(members, "apiVersion"), _text(members, "command")
    if version not in _EXEC_VERSIONS:
        item.refuse(f"apiVersion is none of: {', '.join(_EXEC_VERSIONS)}")
    if "/" in command:  # from the kubeconfig's folder, as kubectl has it
        command = os.path.join(os.path.dirname(path), command)
    program = shutil.which(command, path=environment.get("PATH", "")) if command else None
    if program is None:
        raise KeyAccessError(f"{command[:80]!r} of {path} is not there", code=Code.NOT_FOUND)
    spec: dict[str, object] = {"interactive": False}
    if "provideClusterInfo" in members and members["provideClusterInfo"].boolean():
        ca = key_services.to_base64(cluster.ca.encode())
        spec["cluster"] = {"server": cluster.server, "certificate-authority-data": ca}
    info = strict_json.compact({"apiVersion": version, "kind": "ExecCredential", "spec": spec})
    asked = {**environment, "KUBERNETES_EXEC_INFO": info.decode()}
    for entry in _items(members, "env"):
        asked[_text(entry.members(), "name")] = _text(entry.members(), "value")
    arguments = [argument.text() for argument in _items(members, "args")]
    done = process.run([program, *arguments], environment=asked)
    if done.status:
        raise KeyAccessError(f"{command} gave no credentials (exit {done.status})")
    try:
        status = Reader(strict_json.parse(done.output)).object("status")
        given = {
            field: status.text(name) if status.has(name) else ""
            for field, name in (
                ("token", "token"),
                ("certificate", "clientCertificateData"),
                ("key", "clientKeyData"),
            )
        }
    except MalformedError as error:
        raise KeyAccessError(f"{command}: {error}", code=Code.MALFORMED) from None
    return cluster.replace(**given)


def _items(members: "dict[str, Item]", name: str) -> "list[Item]":
    return members[name].items() if name in members and members[name].content else []
