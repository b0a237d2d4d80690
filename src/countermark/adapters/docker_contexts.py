"""Docker's contexts: which daemon a name stands for."""

import os
from hashlib import sha256

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, NotFoundError
from countermark.core.value import Value
from countermark.formats.strict_json import Reader, parse

_TLS_FILES = ("ca.pem", "cert.pem", "key.pem")


class DockerEndpoint(Value):
    """A daemon: ``unix:///var/run/docker.sock``, ``tcp://host:2376``, ``ssh://user@host``.

    The three files are those of a context that uses TLS, "" where it has none.
    """

    host: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    skip_tls_verify: bool = False


def context_endpoint(folder: str, name: str) -> DockerEndpoint:
    """Read a context of a docker configuration folder: ``contexts/meta/<sha256 of the name>/meta.json``.

    Raises:
        NotFoundError: there is no such context. ConfigError: it is there and wrong, or has no docker endpoint.
        StorageError: it cannot be read.
    """
    identifier = sha256(name.encode("utf-8")).hexdigest()
    file = os.path.join(folder, "contexts", "meta", identifier, "meta.json")
    try:
        content = storage.read(file, limits.DOCKER_CONFIG_BYTES)
        if content is None:
            raise NotFoundError(
                f"context {name!r}: context not found",
                hint="docker context ls shows those that there are",
            )
        endpoint = Reader(parse(content)).object("Endpoints").object("docker")
        host = endpoint.text("Host")
        skips = endpoint.has("SkipTLSVerify") and endpoint.boolean("SkipTLSVerify")
    except EvidenceError as error:
        raise ConfigError(str(error), file=file) from None
    tls = os.path.join(folder, "contexts", "tls", identifier, "docker")
    files = [os.path.join(tls, part) for part in _TLS_FILES]
    ca, cert, key = (part if os.path.isfile(part) else "" for part in files)
    return DockerEndpoint(
        host=host, ca_file=ca, cert_file=cert, key_file=key, skip_tls_verify=skips
    )
