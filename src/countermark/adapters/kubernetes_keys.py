"""Keys that lie in a Kubernetes secret, as cosign stores them.

Whoever may read the secret signs as its owner: the password (``cosign.password``) lies beside the key. Source: cosign
``pkg/cosign/kubernetes`` (specs: cosign, 2d), Kubernetes' core v1 interface. Tested against a server of our own that
speaks this protocol, not against Kubernetes.
"""

import os
import tempfile

from countermark.adapters import key_services, kubernetes_config, storage
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url
from countermark.core.errors import Code, InputError, KeyAccessError, MalformedError
from countermark.formats import strict_json
from countermark.proofs import cosign_keys, public_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.http_client import HttpClient
    from countermark.adapters.kubernetes_config import Cluster
    from countermark.formats.strict_json import Json, Reader
    from countermark.proofs.signing_keys import LocalKey
    from countermark.proofs.spki import PublicKey

SCHEME = "k8s://"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")  # RFC 1123
_NAME_CHARS = 253


class KubernetesKeys:
    """Finds and stores keys in the secrets of the cluster that kubectl would ask."""

    def __init__(self, client: "HttpClient", environment: "Mapping[str, str]", home: str) -> None:
        self._client, self._environment, self._home = client, environment, home

    def public_key(self, reference: str) -> "PublicKey":
        """Fetch a public key.

        Raises:
            InputError: not such a reference. ConfigError: see ``kubernetes_config.find``.
            KeyAccessError, UnavailableError: see ``ask``.
        """
        return key_services.public_pem(
            self._member(reference, "cosign.pub").decode("ascii", "replace"), reference
        )

    def signing_key(self, reference: str) -> "LocalKey":
        """Fetch a key and open it with the password beside it.

        Raises:
            As ``public_key``, and ``cosign_keys.open``.
        """
        content = self._member(reference, "cosign.key")
        return cosign_keys.open(content, self._member(reference, "cosign.password"))

    def store(self, reference: str, key: "LocalKey", password: bytes) -> None:
        """Create a secret with a key, immutable as cosign's; one that is there already is never replaced.

        Raises:
            As ``public_key``; KeyAccessError ``key-exists``.
        """
        namespace, name = _parsed(reference)
        try:
            self._ask("GET", f"{namespace}/secrets/{name}", None, reference)
        except KeyAccessError as error:
            if error.code != Code.NOT_FOUND:
                raise
        else:
            raise KeyAccessError(f"{reference} exists already", code=Code.KEY_EXISTS)
        data = {
            "cosign.key": cosign_keys.encode(key, password),
            "cosign.pub": public_keys.encode(key.public),
            "cosign.password": password,
        }
        secret: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "data": {member: key_services.to_base64(value) for member, value in data.items()},
            "immutable": True,
        }
        self._ask("POST", f"{namespace}/secrets", secret, reference)

    def _member(self, reference: str, name: str) -> bytes:
        namespace, secret = _parsed(reference)
        answer = self._ask("GET", f"{namespace}/secrets/{secret}", None, reference)
        try:
            data = answer.object("data") if answer.has("data") else None
            if data is None or name not in data.names():
                raise KeyAccessError(f"{reference} has no {name}", code=Code.NOT_FOUND)
            return key_services.of_base64(data.text(name))
        except MalformedError as error:
            raise key_services.garbled(reference, error) from None

    def _ask(self, method: str, path: str, body: "Json", keeper: str) -> "Reader":
        cluster = kubernetes_config.find(self._environment, self._home)
        headers = {"Authorization": f"Bearer {cluster.token}"} if cluster.token else {}
        content = b""
        if body is not None:
            content, headers["Content-Type"] = strict_json.compact(body), "application/json"
        url = Url.parse(f"{cluster.server.rstrip('/')}/api/v1/namespaces/{path}")
        texts = (cluster.ca,) if cluster.ca else ()
        # OpenSSL takes a client certificate from files only
        with tempfile.TemporaryDirectory(prefix="countermark-") as folder:
            tls = HostTls(ca_texts=texts, client_pairs=_pairs(cluster, folder))
            request = HttpRequest(method=method, url=url, headers=headers, body=content, tls=tls)
            return key_services.ask(self._client, request, keeper)


def _pairs(cluster: "Cluster", folder: str) -> tuple[tuple[str, str], ...]:
    if not cluster.certificate or not cluster.key:
        return ()
    paths = os.path.join(folder, "client.crt"), os.path.join(folder, "client.key")
    for path, text in zip(paths, (cluster.certificate, cluster.key), strict=True):
        storage.write(path, text.encode(), durable=False)
    return (paths,)


def _parsed(reference: str) -> tuple[str, str]:
    parts = reference.removeprefix(SCHEME).split("/")
    if (
        not reference.startswith(SCHEME)
        or len(parts) != 2
        or any(not 0 < len(part) <= _NAME_CHARS or part.strip(".-") != part for part in parts)
        or not _NAME.issuperset("".join(parts))
    ):
        raise InputError(
            "kubernetes specification should be in the format k8s://<namespace>/<secret>"
        )
    return parts[0], parts[1]
