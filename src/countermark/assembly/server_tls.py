"""The server's own certificate: made at the first start from a CA of its own, renewed when names or time want it."""

import os
from datetime import datetime

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import StorageError
from countermark.proofs.tls_certificates import (
    TlsCredentials,
    is_good_for,
    issue_ca,
    issue_certificate,
)


def our_certificate(folder: str, names: list[str], now: datetime) -> tuple[str, str]:
    """Return the files of a certificate chain and key for these names, made anew where the old one will not do.

    ``ca.crt`` is what clients trust and stays for ten years; whoever reads ``ca.key`` can be any server to them.

    Raises:
        StorageError: the folder cannot be written, or half of the CA is missing.
    """
    paths = [
        os.path.join(folder, name) for name in ("ca.crt", "ca.key", "server.crt", "server.key")
    ]
    ca_certificate, ca_key, certificate, key = (
        storage.read(p, limits.KEY_FILE_BYTES) for p in paths
    )
    if ca_certificate is None and ca_key is None:
        ca = issue_ca(now)
        storage.write(paths[1], ca.private_key)
        storage.write(paths[0], ca.certificate, mode=0o644)
        certificate = None
    elif ca_certificate is None or ca_key is None:
        raise StorageError(
            f"{folder} has only one of ca.crt and ca.key",
            hint="restore the other, or remove both: then every client needs the new ca.crt",
        )
    else:
        ca = TlsCredentials(certificate=ca_certificate, private_key=ca_key)
    if certificate is None or key is None or not is_good_for(certificate, names, now):
        made = issue_certificate(ca, names, now)
        storage.write(paths[3], made.private_key)
        storage.write(paths[2], made.certificate, mode=0o644)
    return paths[2], paths[3]
