"""Rotation of a private Sigstore's keys in a server's folder, while no server runs on it.

What is believed is changed in one step (``sigstore_trust.py``); what follows from it is done here at once, and done
at the server's next start where that fails or is interrupted.
"""

import os

from countermark.assembly.data_folder import alone_on, maintained
from countermark.assembly.sigstore import Sigstore, SigstoreSettings
from countermark.assembly.sigstore_keys import WORDS
from countermark.core.errors import CountermarkError, InputError
from countermark.core.ports import Clock
from countermark.formats.tuf_metadata import ROLES

TUF = "tuf"


def rotate(settings: SigstoreSettings, clock: Clock, what: str, url: str) -> list[str]:
    """Give a service a new key, or the TUF repository new ones; say in lines what holds from now on.

    Args:
        settings: those of the server.
        clock: the time.
        what: one of WORDS, or TUF.
        url: a new log's own address, "" for one under the server's.

    Raises:
        InputError: a server runs, an address that will not do, no other key elsewhere. ConfigError, StorageError,
            KeyAccessError: the folder cannot be used; nothing has changed.
    """
    if what == "log" and settings.logs.witnesses and not url:
        raise InputError(
            "witnesses know a log by its host, and would take the new one for the old one gone wrong",
            hint="give --url with a host of its own",
        )
    data = os.path.dirname(settings.folder)
    with alone_on(data, "stop it first: it holds the keys in memory"), maintained(data):
        sigstore = Sigstore(settings, clock)
        try:
            if what == TUF:
                return _rotate_tuf(sigstore)
            sigstore.rotate(WORDS[what], url)
            lines = [_told(sigstore, what)]
            try:
                sigstore.settle()
            except CountermarkError as error:
                lines.append(f"the server's next start has to finish it: {error}")
            return lines
        finally:
            sigstore.close()


def _rotate_tuf(sigstore: Sigstore) -> list[str]:
    sigstore.publish()
    for role in ROLES:
        sigstore.trust_root().rotate(role)
    return ["the TUF repository has new keys; clients follow by themselves"]


def _told(sigstore: Sigstore, what: str) -> str:
    names = {
        "ca": "certificate authority",
        "log": "transparency log",
        "ctlog": "certificate log",
        "tsa": "timestamp authority",
    }
    *_, former, _ = sigstore.trust.named(WORDS[what])
    if former.end is None:  # the one before the newest has ended
        raise InputError("the trusted root has no end for what was rotated")
    place = sigstore.parts().log_url if what == "log" else ""
    where = f" at {place}" if place else ""
    return (
        f"a new {names[what]}{where}; the former one counts until {former.end:%Y-%m-%dT%H:%M:%SZ}"
    )
