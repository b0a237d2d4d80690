"""The keys of a TUF repository's roles, of which the newest sign."""

import re
from collections.abc import Mapping, Sequence

from countermark.core.errors import KeyAccessError
from countermark.core.ports_sigstore import ServiceKeys
from countermark.core.value import Value
from countermark.formats import strict_json, tuf_metadata
from countermark.formats.tuf_metadata import Members, Metadata, PublicKey
from countermark.proofs import signatures, signing_keys
from countermark.proofs.pem import Block
from countermark.proofs.signing_keys import LocalKey

_NAME = re.compile(r"tuf-(root|targets|snapshot|timestamp)-([1-9][0-9]{0,8})")


class RoleKey(Value):
    """A key that signs for a role."""

    id: str
    public: PublicKey
    private: LocalKey


class RoleKeys:
    """The keys of all roles, as the port ``ServiceKeys`` keeps them: ``tuf-root-1`` and so on."""

    def __init__(self, keys: ServiceKeys) -> None:
        self._keys = keys
        self._opened: dict[str, RoleKey] = {}

    def of(self, role: str) -> Sequence[RoleKey]:
        """Return a role's keys, the oldest first.

        Raises:
            KeyAccessError: one does not open.
        """
        numbered = sorted(self._numbers(role))
        return [self._open(f"tuf-{role}-{number}") for number in numbered]

    def make(self, role: str) -> RoleKey:
        """Make and keep a key, which no root names yet."""
        name = f"tuf-{role}-{max(self._numbers(role), default=0) + 1}"
        self._keys.put(name, signing_keys.generate().to_pkcs8())
        return self._open(name)

    def named(self, root: Metadata, role: str) -> Sequence[RoleKey]:
        """Return those of a role's keys that a root names.

        Raises:
            KeyAccessError: we hold none of them.
        """
        wanted = tuf_metadata.role_key_ids(root, role)
        found = [key for key in self.of(role) if key.id in wanted]
        if not found:
            raise KeyAccessError(f"the trust root's key for {role} is not among ours")
        return found

    def has_signed(self, metadata: Metadata) -> bool:
        """Say whether one of our keys for its role signed a file: what did not come from us is not signed anew."""
        return any(
            key.id in metadata.signatures
            and signatures.verify(key.private.public, metadata.signed, metadata.signatures[key.id])
            for key in self.of(metadata.role)
        )

    def _numbers(self, role: str) -> Sequence[int]:
        found = (_NAME.fullmatch(name) for name in self._keys.names())
        return [int(each[2]) for each in found if each and each[1] == role]

    def _open(self, name: str) -> RoleKey:
        if name not in self._opened:
            content = self._keys.get(name)
            if content is None:
                raise KeyAccessError(f"the trust root's key {name} is missing")
            private = signing_keys.from_pkcs8(content)
            text = Block(type="PUBLIC KEY", content=private.public_der).encode().decode()
            public = PublicKey(pem=text)
            self._opened[name] = RoleKey(id=public.id, public=public, private=private)
        return self._opened[name]


def sign(signed: Members, keys: Sequence[RoleKey]) -> bytes:
    """Write a file of metadata, signed by each of these keys."""
    content = strict_json.canonical(signed)
    made: Mapping[str, bytes] = {key.id: key.private.sign(content) for key in keys}
    return tuf_metadata.encode(signed, made)
