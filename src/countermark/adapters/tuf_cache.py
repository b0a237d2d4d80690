"""Sigstore's trusted files as a TUF client keeps them, in the folders that cosign has.

Per mirror a folder with the newest metadata and the files (``targets``), beside it when they were fetched, and
``remote.json``, which says the mirror (specs: cosign, 2k; cosign-observed, 5.5). What is read was verified by whoever
fetched it; here only dates and hashes are looked at. Who can write there chooses what is believed: keep it private.
"""

import os

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import EvidenceError, StorageError
from countermark.core.light import Mapping, datetime, sha256
from countermark.core.value import Value
from countermark.formats import go_text, strict_json, tuf_metadata
from countermark.formats.tuf_metadata import ROLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER_CHARS = 200


class Cached(Value):
    """What is kept of a mirror.

    Attributes:
        metadata: the newest file of each role.
        files: by name.
        fetched: when.
        expires: until when all of it holds.
    """

    metadata: Mapping[str, bytes]
    files: Mapping[str, bytes]
    fetched: datetime
    expires: datetime


class TufCache:
    """One folder, as ``~/.sigstore/root``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def mirror(self) -> str:
        """Return the mirror that ``remote.json`` names, "" where there is none."""
        content = _read(os.path.join(self.folder, "remote.json"))
        try:
            return strict_json.Reader(strict_json.parse(content or b"{}")).text("mirror")
        except EvidenceError:
            return ""

    def root(self, mirror: str) -> bytes:
        """Return a mirror's newest root, b"" where none is kept."""
        return _read(os.path.join(self._of(mirror), "root.json")) or b""

    def read(self, mirror: str, names: "Sequence[str]") -> Cached | None:
        """Return what is kept of a mirror, and those of the files that there are; None where it is not whole.

        While another process replaces it, it is read again.
        """
        found = self._read(mirror, names)
        if found is None and os.path.isdir(self._of(mirror)):
            with self._locked():
                found = self._read(mirror, names)
        return found

    def keep(self, mirror: str, kept: Cached, *, choose: bool = False) -> None:
        """Replace what is kept of a mirror; ``choose``: name it in ``remote.json`` as well.

        Raises:
            StorageError: it cannot be written.
        """
        place = self._of(mirror)
        with self._locked():
            for name, content in kept.files.items():
                storage.write(os.path.join(place, "targets", name), content)
            for role in ROLES:  # the timestamp last, since it tells of the others
                storage.write(os.path.join(place, f"{role}.json"), kept.metadata[role])
            time = {"lastTimestamp": go_text.format_time(kept.fetched)}
            storage.write(f"{place}.json", strict_json.compact(time))
            if choose:
                remote = strict_json.compact({"mirror": mirror})
                storage.write(os.path.join(self.folder, "remote.json"), remote)

    def _read(self, mirror: str, names: "Sequence[str]") -> Cached | None:
        place = self._of(mirror)
        try:
            metadata = {role: _needed(os.path.join(place, f"{role}.json")) for role in ROLES}
            parsed = {role: tuf_metadata.parse(metadata[role], role) for role in ROLES}
            time = strict_json.Reader(strict_json.parse(_needed(f"{place}.json")))
            files = {
                name: _needed(os.path.join(place, "targets", name))
                for name in names
                if tuf_metadata.target_sha256(parsed["targets"], name)
            }
            for name, content in files.items():
                if sha256(content).hexdigest() != tuf_metadata.target_sha256(
                    parsed["targets"], name
                ):
                    return None
            return Cached(
                metadata=metadata,
                files=files,
                fetched=go_text.parse_time(time.text("lastTimestamp")),
                expires=min(each.expires for each in parsed.values()),
            )
        except (EvidenceError, StorageError):
            return None

    def _locked(self) -> storage.Lock:
        return storage.Lock(os.path.join(self.folder, ".countermark.lock"))

    def _of(self, mirror: str) -> str:
        return os.path.join(self.folder, folder_name(mirror))


def folder_name(mirror: str) -> str:
    """Name a mirror's folder as sigstore-go does: its URL without the scheme, ``/`` and ``:`` as dashes."""
    place = mirror.partition("://")[2] or mirror
    return place.lower().replace("/", "-").replace(":", "-")[:_FOLDER_CHARS] or "-"


def _read(path: str) -> bytes | None:
    """Read a file of a folder that may be anybody's: what cannot be read is not there."""
    try:
        return storage.read(path, limits.TUF_FILE_BYTES)
    except (StorageError, EvidenceError):
        return None


def _needed(path: str) -> bytes:
    content = storage.read(path, limits.TUF_FILE_BYTES)
    if content is None:
        raise StorageError(f"{path} is missing")
    return content
