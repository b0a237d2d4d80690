"""cosign's encrypted key files: read, and opened to the PKCS 8 that is in them.

scrypt makes the key of XSalsa20 and Poly1305 (NaCl's secretbox), whose tag tells a wrong password. The parameters of
scrypt are three known sets and no others, so that a file made by someone else can neither weaken what protects it nor
take the machine's memory. Nothing of ``cryptography`` is loaded here: scrypt is most of what a signature takes, and
begins before that.

Source: go-securesystemslib ``encrypted/encrypted.go``, cosign ``pkg/cosign/keys.go`` (specs: cosign, 2d).
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from os import urandom

from countermark.core import limits
from countermark.core.errors import Code, KeyAccessError, MalformedError
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader
from countermark.proofs import pem, sodium
from countermark.proofs.pem import Block

TYPES = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")

_ROUNDS = 65_536  # what cosign writes; 32,768 in files of before 2023, 131,072 is OWASP's number
_KNOWN_ROUNDS = (32_768, 65_536, 131_072)
_BLOCK_SIZE, _PARALLEL = 8, 1  # scrypt's r and p
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES = 32, 32, 24
_MOST_SALT_BYTES = 1024


class EncryptedKey(Value):
    """A key file as it lies there.

    Attributes:
        rounds: scrypt's N. salt: scrypt's.
        nonce, ciphertext: of secretbox; what is inside is PKCS 8.
    """

    rounds: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes

    def decrypted(self, password: bytes) -> bytes:
        """Decrypt; takes a quarter of a second and 64 MB.

        Raises:
            KeyAccessError: ``passphrase``, the password is wrong.
        """
        derived = _derived(password, self.salt, self.rounds)
        content = sodium.unseal(derived, self.nonce, self.ciphertext)
        if content is None:
            raise KeyAccessError("decrypt: encrypted: decryption failed", code=Code.PASSPHRASE)
        return content


def parse(text: bytes) -> EncryptedKey:
    """Read a key file without opening it, so that no password is asked for in vain; cosign's words where it refuses.

    Raises:
        KeyAccessError: ``malformed``; ``not-supported``: another kind of PEM, as an unencrypted key is.
    """
    block = first_block(text)
    if block.type not in TYPES:
        raise KeyAccessError(
            f"unsupported pem type: {block.type[:60]}",
            code=Code.NOT_SUPPORTED,
            hint="import the key first, so that it lies encrypted: import-key-pair",
        )
    try:
        return _encrypted(Reader(strict_json.parse(block.content)))
    except MalformedError as error:
        raise KeyAccessError(f"decrypt: {error}", code=Code.MALFORMED) from None


def first_block(text: bytes) -> Block:
    """The first block of a PEM text that can be a key.

    Raises:
        KeyAccessError: ``malformed``, there is none.
    """
    try:
        blocks = pem.parse(text[: limits.KEY_FILE_BYTES])
    except MalformedError:
        blocks = ()
    # openssl ecparam writes the curve's name before the key
    blocks = tuple(block for block in blocks if block.type != "EC PARAMETERS")
    if not blocks:
        raise KeyAccessError("invalid pem block", code=Code.MALFORMED)
    return blocks[0]


def _encrypted(document: Reader) -> EncryptedKey:
    derivation, cipher = document.object("kdf"), document.object("cipher")
    if derivation.text("name") != "scrypt":
        raise MalformedError(f'encrypted: unknown kdf name "{derivation.text("name")[:40]}"')
    if cipher.text("name") != "nacl/secretbox":
        raise MalformedError(f'encrypted: unknown cipher name "{cipher.text("name")[:40]}"')
    params = derivation.object("params")
    rounds, rest = params.integer("N"), (params.integer("r"), params.integer("p"))
    if rounds not in _KNOWN_ROUNDS or rest != (_BLOCK_SIZE, _PARALLEL):
        raise MalformedError("unsupported scrypt parameters")
    salt, nonce = _base64(derivation, "salt"), _base64(cipher, "nonce")
    if len(nonce) != _NONCE_BYTES:
        raise MalformedError("encrypted: incorrect nonce size")
    if len(salt) > _MOST_SALT_BYTES:
        raise MalformedError("encrypted: salt is too long")
    return EncryptedKey(
        rounds=rounds, salt=salt, nonce=nonce, ciphertext=_base64(document, "ciphertext")
    )


def _base64(reader: Reader, name: str) -> bytes:
    try:
        return a2b_base64(reader.text(name), strict_mode=True)
    except (Base64Error, ValueError):
        raise MalformedError(f"{name} is not base64") from None


def encrypted(content: bytes, password: bytes) -> bytes:
    """Write a key file around PKCS 8, as ``cosign generate-key-pair`` does."""
    salt, nonce = urandom(_SALT_BYTES), urandom(_NONCE_BYTES)
    sealed = sodium.seal(_derived(password, salt, _ROUNDS), nonce, content)
    document = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": _ROUNDS, "r": _BLOCK_SIZE, "p": _PARALLEL},
            "salt": _text(salt),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(sealed),
    }
    return Block(type=TYPES[0], content=strict_json.compact(document)).encode()


def _text(content: bytes) -> str:
    return b2a_base64(content, newline=False).decode()


def _derived(password: bytes, salt: bytes, rounds: int) -> bytes:
    return sodium.scrypt(password, salt, rounds, _BLOCK_SIZE, _KEY_BYTES)
