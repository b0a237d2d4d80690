"""The master key that a server's secrets are sealed with, in a file of its own.

It lies apart from what it seals, so that a thief of that alone wins nothing; a thief of both has every key.
"""

from countermark.adapters import storage
from countermark.core.errors import StorageError
from countermark.proofs import sealing

_FILE_BYTES = 1024


def load(path: str, *, make: bool) -> bytes:
    """Read the master key; ``make``: make the file (0600) if it is missing.

    Raises:
        StorageError: the file is missing, or cannot be read or written. KeyAccessError: it holds no master key.
    """
    content = storage.read(path, _FILE_BYTES)
    if content is None and make:
        with storage.Lock(f"{path}.lock"):
            content = storage.read(path, _FILE_BYTES)
            if content is None:
                content = sealing.encode_master(sealing.new_master())
                storage.write(path, content)
    if content is None:
        raise StorageError(
            f"the master key {path} is missing",
            hint="restore it from a backup: without it the server's keys cannot be opened",
        )
    return sealing.parse_master(content)
