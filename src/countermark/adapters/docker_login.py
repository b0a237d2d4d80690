"""Remembers a login where docker keeps it: in a credential helper, else in its configuration file."""

import os
from binascii import b2a_base64

from countermark.adapters import storage
from countermark.adapters.credentials import helper_program
from countermark.adapters.docker_config import HUB_KEY, read_docker_config
from countermark.core import limits
from countermark.core.errors import ConfigError, InputError, KeyAccessError
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.adapters.credentials import Run

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def remember(file: str, registry: str, username: str, password: str, run: "Run") -> str:
    """Keep a login for a registry; returns where it lies in the clear, "" where a helper has taken it.

    Raises:
        ConfigError: the configuration file is wrong. KeyAccessError: the helper does not take it.
        StorageError: the file cannot be written.
    """
    server = HUB_KEY if registry in _HUB else registry
    config = read_docker_config(file)
    helper = config.helpers.get(server) or config.store
    if helper:
        _hand_over(helper, server, username, password, run)
        return ""
    content = storage.read(file, limits.DOCKER_CONFIG_BYTES)
    document = strict_json.parse(content) if content else {}
    if not isinstance(document, dict):
        raise ConfigError("not a JSON object", file=file)
    entries = document.setdefault("auths", {})
    if not isinstance(entries, dict):
        raise ConfigError("not a JSON object", file=file, path="auths")
    if ":" in username:
        raise InputError("a user's name cannot contain a colon")
    secret = b2a_base64(f"{username}:{password}".encode(), newline=False).decode()
    entries[server] = {"auth": secret}
    storage.make_folder(os.path.dirname(file))
    storage.write(file, strict_json.pretty(document, indent=4).encode() + b"\n")
    return file


def _hand_over(helper: str, server: str, username: str, password: str, run: "Run") -> None:
    """Give a login to ``docker-credential-HELPER store`` (docker-credential-helpers, its protocol)."""
    given = strict_json.compact({"ServerURL": server, "Username": username, "Secret": password})
    program = helper_program(helper)
    finished = run((program, "store"), given=given)
    if finished.status != 0:  # what it printed may have the secret in it
        raise KeyAccessError(f"{program} did not take the login for {server}")
