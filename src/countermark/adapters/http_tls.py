"""Whom we believe over TLS: the system's roots, docker's extra CAs, client certificates. Always verified, 1.2 and up.

The system's roots are used by OpenSSL's hashed folder where there is one, since parsing a bundle costs every start
40 ms. A root there, or in docker's folders, is believed as such even where it is not self-signed, as Go does.

The files are the operator's: who can write them can make us believe any server. They are read, never written.
"""

import os
from _thread import allocate_lock

from countermark.adapters import thin_sockets
from countermark.core.errors import ConfigError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# where distributions keep them, in the order in which Go looks
_FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs")
_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class SystemRoots(Value):
    """The system's roots; a file or folders (SSL_CERT_FILE, SSL_CERT_DIR) replace what the system has."""

    file: str = ""
    folders: tuple[str, ...] = ()


class HostTls(Value):
    """What is added for one server: CA files, CAs as PEM texts, client certificates with their keys (file names).

    ``label`` tells two users of the same server apart, so that they never share a connection.
    """

    ca_files: tuple[str, ...] = ()
    ca_texts: tuple[str, ...] = ()
    client_pairs: tuple[tuple[str, str], ...] = ()
    label: str = ""

    def without_client(self) -> "HostTls":
        """The same CAs for another host, which must not see who we are."""
        return self.replace(client_pairs=()) if self.client_pairs else self


class TlsContexts:
    """One OpenSSL context for each ``HostTls``, made when first needed. Threads may share it."""

    def __init__(self, roots: SystemRoots) -> None:
        self._roots = roots
        self._contexts: dict[HostTls, Any] = {}
        self._lock = allocate_lock()

    def context(self, host: HostTls) -> "Any":
        """Return the context for a server.

        Raises:
            ConfigError: a CA file, certificate or key cannot be read or used.
        """
        with self._lock:
            found = self._contexts.get(host)
            if found is None:
                found = self._contexts[host] = _made(self._roots, host)
            return found


def _made(roots: SystemRoots, host: HostTls) -> "Any":
    context = thin_sockets.new_context()
    _add_system_roots(context, roots)
    for file in host.ca_files:
        _load(context, file)
    for text in host.ca_texts:
        _load_text(context, text)
    for certificate, key in host.client_pairs:
        try:
            context.load_cert_chain(certificate, key, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise ConfigError(f"client certificate: {_reason(error)}", file=certificate) from None
    return context


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL asks on the terminal


def _add_system_roots(context: "Any", roots: SystemRoots) -> None:
    if roots.file or roots.folders:
        if roots.file:
            _load(context, roots.file)
        for folder in roots.folders:
            context.load_verify_locations(capath=folder)
        return
    own_file, own_folder = thin_sockets.default_roots()
    folder = hashed_folder((*_FOLDERS, own_folder))
    if folder:
        context.load_verify_locations(capath=folder)
        return
    for file in (*_FILES, own_file):
        if os.path.isfile(file):
            _load(context, file)
            return


def hashed_folder(candidates: "Sequence[str]") -> str:
    """Return the first folder that has roots under the names by which OpenSSL finds them, "" where there is none."""
    for folder in candidates:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        if any(len(name) == 10 and name.endswith(".0") for name in names):
            return folder
    return ""


def _load(context: "Any", file: str) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"CA certificates: {_reason(error)}", file=file) from None


def _load_text(context: "Any", text: str) -> None:
    try:
        context.load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"CA certificates: {_reason(error)}") from None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, thin_sockets.SSLError):
        return (getattr(error, "reason", "") or "not PEM").lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
