"""What a trust server has of one repository, and what it adds to it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from countermark.core.ports_hosting import StoredFile
from countermark.core.value import Value
from countermark.formats.tuf import SNAPSHOT, TIMESTAMP, Role
from countermark.proofs.keys import PrivateKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Stored(Protocol):
    """The stored files of one repository."""

    @property
    def gun(self) -> str:
        """The repository's name."""
        ...

    def newest(self, role: str) -> StoredFile | None:
        """Return the highest version of a role."""
        ...


# A key that we hold and that a role of the root names, None where there is none.
ServerSigner = Callable[[str, Role], PrivateKey | None]


class Lifetimes(Value):
    """How long what the server signs holds (notary/const.go: 1095 and 14 days)."""

    snapshot: timedelta = timedelta(days=1095)
    timestamp: timedelta = timedelta(days=14)

    def refresh_at(self, role: str, expires: datetime) -> datetime:
        """Say from when on a file is to be signed anew: half of its life, since caches hold it for a while."""
        return expires - {SNAPSHOT: self.snapshot, TIMESTAMP: self.timestamp}[role] / 2


class NewFile(Value):
    """A version of a role that is to be stored."""

    role: str
    version: int
    content: bytes

    def stored(self, gun: str, now: datetime) -> StoredFile:
        """Make it what the store takes."""
        return StoredFile(
            gun=gun,
            role=self.role,
            version=self.version,
            sha256=sha256(self.content).hexdigest(),
            content=self.content,
            created=now,
        )


class Publication(Value):
    """Files to be stored in one step; none where all of it is there already.

    Attributes:
        files: the new versions, a timestamp among them.
        base: the sha256 of the timestamp that was the newest when they were made, "" for none.
        keys: the server's key IDs that the root names, by role.
    """

    files: tuple[NewFile, ...]
    base: str
    keys: Mapping[str, str]
