"""Encrypted private keys as notary and PKCS 8 store them, in PEM.

A private key's block has the headers ``role`` and, for keys of one repository, ``gun``; in exported bundles also
``path``. Source: notary v0.7.0 ``tuf/utils/x509.go``, ``trustmanager/keys.go`` (specs: notary v1, 3.2, 3.3, 3.6).
"""

from collections.abc import Callable

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, KeyAccessError, MalformedError
from countermark.core.value import Value
from countermark.formats.tuf import SNAPSHOT, TARGETS, TIMESTAMP
from countermark.proofs import key_encryption, pem, private_der
from countermark.proofs.key_encryption import ITERATIONS
from countermark.proofs.keys import PrivateKey
from countermark.proofs.pem import Block
from countermark.proofs.public_files import encode_public_pem, parse_public_pem

__all__ = ["KeyFile", "encode_key", "encode_public_pem", "imports", "open_key", "parse_public_pem"]

_GUN_ROLES = (TARGETS, SNAPSHOT, TIMESTAMP)  # keys of one repository; others may serve many
_ENCRYPTED = "ENCRYPTED PRIVATE KEY"
_PLAIN: dict[str, Callable[[bytes], PrivateKey]] = {
    "PRIVATE KEY": private_der.parse_pkcs8,
    "RSA PRIVATE KEY": private_der.parse_pkcs1,
    "EC PRIVATE KEY": private_der.parse_sec1,
    "ED25519 PRIVATE KEY": private_der.parse_ed25519,
}
_PASSED_OVER = ("EC PARAMETERS",)  # which `openssl ecparam -genkey` writes before the key
_HEX = frozenset("0123456789abcdef")
_INVALID = "failed to import all keys: invalid key pem block"


class KeyFile(Value):
    """One private key as it stands in a file, perhaps encrypted. Never shown.

    Attributes:
        role: ``root``, ``targets``, a signer's name; "" where the file does not say.
        gun: the repository that it is for, "" for any.
        path: the name under which a bundle wants it stored, "" where it does not say.
        block: the PEM block.
    """

    role: str
    gun: str
    path: str
    block: Block

    @classmethod
    def parse(cls, text: bytes) -> "KeyFile":
        """Read the first private key of a file.

        Raises:
            KeyAccessError: there is none.
        """
        return cls.parse_all(text)[0]

    @classmethod
    def parse_all(cls, text: bytes) -> "tuple[KeyFile, ...]":
        """Read all private keys of a file, of which there is at least one.

        Raises:
            KeyAccessError: there is none, or something else is among them.
        """
        if len(text) > limits.KEY_FILE_BYTES:
            raise KeyAccessError(
                f"key file of more than {limits.KEY_FILE_BYTES} bytes", code=Code.TOO_LARGE
            )
        try:
            blocks = [block for block in pem.parse(text) if block.type not in _PASSED_OVER]
        except EvidenceError as error:
            raise KeyAccessError(f"not a private key: {error}", code=Code.MALFORMED) from None
        if not blocks or any(block.type not in (*_PLAIN, _ENCRYPTED) for block in blocks):
            raise KeyAccessError("not a supported private key", code=Code.MALFORMED)
        return tuple(
            cls(
                role=block.headers.get("role", ""),
                gun=block.headers.get("gun", ""),
                path=block.headers.get("path", ""),
                block=block,
            )
            for block in blocks
        )

    @property
    def encrypted(self) -> bool:
        """Whether it takes a passphrase to open it."""
        return self.block.type == _ENCRYPTED or "DEK-Info" in self.block.headers

    @property
    def key_id(self) -> str:
        """The canonical key ID, "" where only the passphrase could tell.

        Raises:
            KeyAccessError: a plain key that does not parse.
        """
        if not self.encrypted:
            return self.open(None).id
        return self.path if _is_id(self.path) else ""

    def open(self, passphrase: str | None) -> PrivateKey:
        """Return the key; a plain one takes no passphrase, and ignores one.

        Raises:
            KeyAccessError: ``passphrase``, it is missing or wrong; else the key is broken or not supported.
        """
        content, kind = self.block.content, self.block.type
        try:
            if not self.encrypted:
                return _PLAIN[kind](content)
            if passphrase is None:
                raise KeyAccessError("private key needs a passphrase", code=Code.PASSPHRASE)
            if kind == _ENCRYPTED:
                content, kind = key_encryption.decrypt(content, passphrase), "PRIVATE KEY"
            else:
                dek_info = self.block.headers["DEK-Info"]
                content = key_encryption.decrypt_legacy(content, dek_info, passphrase)
        except MalformedError as error:
            raise KeyAccessError(f"not a private key: {error}", code=Code.MALFORMED) from None
        try:
            return _PLAIN[kind](content)
        except MalformedError:  # one passphrase in 256 leaves padding that looks right
            raise key_encryption.wrong_passphrase() from None

    def encode(self) -> bytes:
        """Write it as a key store has it, as it was but for the headers: ``role`` and ``gun``, no ``path``."""
        kept = {
            name: text
            for name, text in self.block.headers.items()
            if name in ("Proc-Type", "DEK-Info")
        }
        return self.block.replace(headers=kept | _headers(self.role, self.gun)).encode()

    def export(self, key_id: str) -> bytes:
        """Write it for a bundle, with the name under which it is to be stored."""
        block = pem.parse(self.encode())[0]
        return block.replace(headers={**block.headers, "path": key_id}).encode()

    def __repr__(self) -> str:
        return f"KeyFile(role={self.role!r}, gun={self.gun!r}, encrypted={self.encrypted})"


def open_key(text: bytes, passphrase: str | None) -> PrivateKey:
    """Read the first private key of a file.

    Raises:
        KeyAccessError: ``passphrase``, it is missing or wrong; else there is none that we can read.
    """
    return KeyFile.parse(text).open(passphrase)


def encode_key(
    private: PrivateKey,
    passphrase: str,
    *,
    role: str = "",
    gun: str = "",
    iterations: int = ITERATIONS,
) -> bytes:
    """Write a private key for a key store of notary's or docker's; an empty passphrase leaves it plain, as there.

    Args:
        private: the key.
        passphrase: what will open it.
        role: ``root``, ``targets``, ``snapshot``, or a signer's name.
        gun: the repository; left out where the role's keys are not for one repository.
        iterations: rounds of PBKDF2.
    """
    content = private_der.encode_pkcs8(private)
    if not passphrase:
        block = Block(type="PRIVATE KEY", content=content, headers=_headers(role, gun))
    else:
        sealed = key_encryption.encrypt(content, passphrase, iterations)
        block = Block(type=_ENCRYPTED, content=sealed, headers=_headers(role, gun))
    return block.encode()


def _headers(role: str, gun: str) -> dict[str, str]:
    headers = {"role": role} if role else {}
    return headers | {"gun": gun} if gun and role in _GUN_ROLES else headers


# Import ------------------------------------------------------------------------------------------------


def imports(text: bytes, *, role: str = "delegation", gun: str = "") -> tuple[KeyFile, ...]:
    """Read the keys of a file or bundle as they are to be stored, with their roles and repositories settled.

    What the file says goes before ``role`` and ``gun``. Whoever stores them takes ``key_id`` for a name; where that
    is "", the key must be opened first. Unlike notary, which passes over what it does not understand, one broken key
    refuses them all.

    Raises:
        KeyAccessError: no key, a broken one, a name that is no key ID, or no repository for a role that needs one.
    """
    return tuple(_settled(file, role, gun) for file in KeyFile.parse_all(text))


def _settled(file: KeyFile, role: str, gun: str) -> KeyFile:
    folders, _, name = file.path.rpartition("/")
    _, found, inside = folders.partition("tuf_keys/")
    key_id, _, old_role = name.partition("_")  # notary 0.1: <id>_<role>
    if name and not _is_id(key_id):
        raise KeyAccessError(_INVALID, code=Code.MALFORMED)
    settled = file.replace(
        path=key_id,
        role=file.role or old_role or role,
        gun=file.gun or (inside if found else "") or gun,
    )
    if settled.role in _GUN_ROLES:
        if not settled.gun:
            raise KeyAccessError(_INVALID, code=Code.MALFORMED)
        return settled
    return settled.replace(gun="")


def _is_id(text: str) -> bool:
    return len(text) == 64 and _HEX.issuperset(text)
