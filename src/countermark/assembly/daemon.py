"""The docker daemon that docker itself would talk to, and the platform that we run on."""

import os
import platform

from countermark.adapters.docker_config import read_docker_config
from countermark.adapters.docker_contexts import DockerEndpoint, context_endpoint
from countermark.adapters.docker_daemon import Daemon
from countermark.adapters.docker_engine import DockerEngine
from countermark.formats.oci import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program

_FALSE = ("", "0", "false")


def docker_engine(program: "Program") -> DockerEngine:
    """The daemon of DOCKER_HOST, of DOCKER_CONTEXT or the current context, or of the usual socket.

    Raises:
        NotFoundError: there is no such context. ConfigError: its files are wrong.
        InputError: an address that is not spoken here.
    """
    return DockerEngine(
        Daemon(_endpoint(program)),
        lambda repository: program.logins.login_for(repository.registry, repository.path),
    )


def _endpoint(program: "Program") -> DockerEndpoint:
    environment = program.environment
    host = environment.get("DOCKER_HOST", "")
    if host:
        return _with_tls(host, environment.get("DOCKER_TLS_VERIFY", ""), program)
    config = read_docker_config(os.path.join(program.docker_folder, "config.json"))
    context = environment.get("DOCKER_CONTEXT") or config.context
    if context and context != "default":
        return context_endpoint(program.docker_folder, context)
    return DockerEndpoint(host="")


def _with_tls(host: str, verify: str, program: "Program") -> DockerEndpoint:
    """DOCKER_TLS_VERIFY turns TLS on; DOCKER_CERT_PATH has its files, else docker's folder."""
    if verify in _FALSE:
        return DockerEndpoint(host=host)
    folder = program.environment.get("DOCKER_CERT_PATH") or program.docker_folder
    ca, cert, key = (os.path.join(folder, f"{name}.pem") for name in ("ca", "cert", "key"))
    return DockerEndpoint(host=host, ca_file=ca, cert_file=cert, key_file=key)


def own_platform() -> Platform:
    """What images must run on here."""
    return Platform.parse(f"{platform.system()}/{platform.machine()}")
