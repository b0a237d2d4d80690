"""What nothing names any more in a server's folder, removed."""

import os
from datetime import datetime

from countermark.adapters.registry_cleaning import clean_unfinished, collect_garbage
from countermark.core.errors import InputError


def clean(data: str, now: datetime) -> list[str]:
    """Remove unfinished uploads and blobs without a name, and say what was removed.

    Raises:
        InputError: there is no server's folder. StorageError: it cannot be read or changed.
    """
    folder = os.path.join(data, "registry")
    if not os.path.isdir(folder):
        raise InputError(
            f"{data} is no folder of countermark serve", hint="give it with --data DIR"
        )
    unfinished, garbage = clean_unfinished(folder, now), collect_garbage(folder, now)
    return [
        f"{unfinished.uploads} unfinished uploads and {unfinished.broken} half-written files removed",
        f"{garbage.blobs} blobs that nothing names removed, {garbage.bytes + unfinished.bytes} bytes in all",
    ]
