"""Publications made beforehand: signed metadata as docker uploads them, so that the load client only has to send.

Written apart from the program's own code on purpose: what is measured must not come from what measures.
"""

import base64
import datetime
import hashlib
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EXPIRES = "2036-01-01T00:00:00Z"
TAGS = 10
BOUNDARY = "bench"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


def canonical(value: object) -> bytes:
    """Canonical JSON of the plain values that stand here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Key:
    """A P-256 key as Notary v1 writes it; ``certificate_for`` makes it a root key."""

    def __init__(self, certificate_for: str = "") -> None:
        """Make one."""
        self._private = ec.generate_private_key(ec.SECP256R1())
        public = self._private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        kind = "ecdsa"
        if certificate_for:
            kind, public = "ecdsa-x509", self._certificate(certificate_for)
        self.public = {
            "keytype": kind,
            "keyval": {"private": None, "public": base64.b64encode(public).decode()},
        }
        self.id = hashlib.sha256(canonical(self.public)).hexdigest()

    def _certificate(self, gun: str) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gun)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .sign(self._private, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, signed: object) -> bytes:
        """Sign a role's content and give the whole file."""
        body = canonical(signed)
        r, s = decode_dss_signature(self._private.sign(body, ec.ECDSA(hashes.SHA256())))
        raw = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
        signatures = [{"keyid": self.id, "method": "ecdsa", "sig": raw}]
        return b'{"signed":' + body + b',"signatures":' + canonical(signatures) + b"}"


class Publisher:
    """One repository's owner: the first upload, and any number of later ones, each ready to send."""

    def __init__(self, gun: str, server_keys: dict[str, dict[str, Any]]) -> None:
        """Make the keys; ``server_keys`` are the timestamp's and the snapshot's, as the server gave them."""
        self.gun = gun
        self._root, self._targets = Key(gun), Key()
        self._server_keys = server_keys
        self.version = 1

    def first(self) -> bytes:
        """The upload that makes the repository."""
        keys = {self._root.id: self._root.public, self._targets.id: self._targets.public}
        roles = {
            "root": {"keyids": [self._root.id], "threshold": 1},
            "targets": {"keyids": [self._targets.id], "threshold": 1},
        }
        for role, key in self._server_keys.items():
            key_id = hashlib.sha256(canonical(key)).hexdigest()
            keys[key_id] = key
            roles[role] = {"keyids": [key_id], "threshold": 1}
        root = {
            "_type": "Root",
            "consistent_snapshot": False,
            "expires": EXPIRES,
            "keys": keys,
            "roles": roles,
            "version": 1,
        }
        return multipart({"root": self._root.sign(root), "targets": self._next_targets()})

    def next(self) -> bytes:
        """The upload of another tag."""
        return multipart({"targets": self._next_targets()})

    def _next_targets(self) -> bytes:
        digest = base64.b64encode(
            hashlib.sha256(f"{self.gun}{self.version}".encode()).digest()
        ).decode()
        signed = {
            "_type": "Targets", "delegations": {"keys": {}, "roles": []}, "expires": EXPIRES,
            "targets": {f"v{tag}": {"hashes": {"sha256": digest}, "length": 523} for tag in range(TAGS)},
            "version": self.version,
        }  # fmt: skip
        self.version += 1
        return self._targets.sign(signed)


def multipart(files: dict[str, bytes]) -> bytes:
    """A body of notary's uploads."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files.items()
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
