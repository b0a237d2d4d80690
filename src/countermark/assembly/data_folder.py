"""One process at a time on a server's folder: the server itself, or a command that changes what it has read."""

import os
from contextlib import contextmanager

from countermark.adapters import storage
from countermark.core.errors import InputError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "serve.lock"
MAINTENANCE_LOCK = "maintenance.lock"
_LOCK_SECONDS = 0.5  # a second one on one folder is told at once


@contextmanager
def alone_on(data: str, hint: str) -> "Iterator[None]":
    """Keep every server and every such command off a folder while the block runs.

    Raises:
        InputError: another runs; ``hint`` says what to do. StorageError: the folder cannot be locked.
    """
    lock = storage.Lock(os.path.join(data, LOCK), seconds=_LOCK_SECONDS)
    try:
        lock.__enter__()
    except UnavailableError:
        raise InputError(f"another server runs on {data}", hint=hint) from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


@contextmanager
def maintained(data: str) -> "Iterator[None]":
    """Keep rotations and backups of a folder apart: neither sees half of the other's work.

    Raises:
        InputError: another runs. StorageError: the folder cannot be locked.
    """
    lock = storage.Lock(os.path.join(data, MAINTENANCE_LOCK), seconds=_LOCK_SECONDS)
    try:
        lock.__enter__()
    except UnavailableError:
        raise InputError(
            f"a backup or a rotation of {data} is under way", hint="wait until it has ended"
        ) from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
