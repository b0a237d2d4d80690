"""Sigstore's trusted root and signing config, from its TUF repository: the public one, or a private mirror.

Asked for once a day at most. While the mirror is out of reach what was fetched before counts until it expires, with a
warning; what cosign has fetched counts as well. Where the folder cannot be written nothing is kept, and all the rest
works. ``sigstore_public_root.json`` is version 15 of the public repository's root, from
github.com/sigstore/root-signing (Apache License 2.0), which whoever fetches begins with.
"""

import os

from countermark.adapters import storage
from countermark.adapters.sigstore_services import system_roots_only
from countermark.adapters.tuf_cache import Cached, TufCache
from countermark.core import limits
from countermark.core.errors import (
    ConfigError,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    StorageError,
    UnavailableError,
)
from countermark.core.light import datetime, timedelta
from countermark.formats import signing_config, trusted_root
from countermark.formats.signing_config import SigningConfig
from countermark.formats.trusted_root import TrustedRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from countermark.adapters.http_client import HttpClient
    from countermark.adapters.sigstore_services import TlsFor
    from countermark.core.ports import Clock

PUBLIC_MIRROR = "https://tuf-repo-cdn.sigstore.dev"
_PUBLIC_ROOT = os.path.join(os.path.dirname(__file__), "sigstore_public_root.json")
TRUSTED_ROOT, SIGNING_CONFIG = _NAMES = ("trusted_root.json", "signing_config.v0.2.json")
_FRESH = timedelta(days=1)  # sigstore-go's CacheValidity in the same place is a day
_OFFLINE_HINT = "give a trusted root as a file, or connect once"


class SigstoreRoot:
    """The trusted files of one Sigstore.

    Args:
        client: asks the mirror.
        clock: the time.
        caches: folders in cosign's layout; the first is ours, the others are only read.
        warn: tells of what does not stop us.
        mirror: where the repository is; "" for the one that a cache names, or else the public one.
        root: what is believed first, b"" for what a cache has, or else the public one's.
        offline: nothing is ever fetched.
        tls_for: what is believed of a host besides the system's roots.
    """

    def __init__(  # noqa: PLR0913 - each a choice of its own
        self,
        client: "HttpClient",
        clock: "Clock",
        caches: "Sequence[str]",
        warn: "Callable[[str], None]",
        *,
        mirror: str = "",
        root: bytes = b"",
        offline: bool = False,
        tls_for: "TlsFor" = system_roots_only,
    ) -> None:
        self._client, self._clock, self._warn = client, clock, warn
        self._caches = [TufCache(folder) for folder in caches]
        self._root, self._offline, self._tls_for = root, offline, tls_for
        named = (cache.mirror() for cache in self._caches)
        self.mirror = mirror or next((each for each in named if each), PUBLIC_MIRROR)
        self._held: Cached | None = None

    def trusted_root(self) -> TrustedRoot:
        """Return the trusted root.

        Raises:
            UnavailableError: out of reach, and nothing was fetched before that still holds.
            EvidenceError: what is there does not verify. ConfigError: nothing says what is to be believed first.
        """
        return trusted_root.parse(self._file(TRUSTED_ROOT))

    def signing_config(self) -> SigningConfig:
        """Return the signing config.

        Raises:
            As ``trusted_root``.
        """
        return signing_config.parse(self._file(SIGNING_CONFIG))

    def initialize(self) -> None:
        """Fetch everything now, whatever was kept, and let the first folder name this mirror from now on.

        Raises:
            As ``trusted_root``; StorageError, it cannot be kept.
        """
        found = self._fetched(self._first_root(), None)
        self._caches[0].keep(self.mirror, found, choose=True)
        self._held = found

    def _file(self, name: str) -> bytes:
        now = self._clock()
        if self._held is None or not _is_fresh(self._held, now):
            self._held = self._current(now)
        content = self._held.files.get(name)
        if content is None:
            raise NotFoundError(f"{self.mirror} has no {name}")
        return content

    def _current(self, now: datetime) -> Cached:
        kept = [cache.read(self.mirror, _NAMES) for cache in self._caches]
        holding = [each for each in kept if each is not None and now < each.expires]
        newest = max(holding, key=lambda each: each.fetched, default=None)
        if newest is not None and (self._offline or _is_fresh(newest, now)):
            return newest
        if self._offline:
            raise UnavailableError(
                f"nothing that still holds was fetched from {self.mirror} before",
                hint=_OFFLINE_HINT,
            )
        try:
            found = self._fetched(self._first_root(), kept[0])
        except (UnavailableError, EvidenceError) as error:
            if newest is None:
                error.hint = error.hint or _OFFLINE_HINT
                raise
            until = f"{newest.expires:%Y-%m-%d %H:%M} UTC"
            self._warn(f"{error}; what was fetched before is used, until {until}")
            return newest
        try:
            self._caches[0].keep(self.mirror, found)
        except CountermarkError as error:
            self._warn(f"Sigstore's trusted root is fetched each time: {error}")
        return found

    def _fetched(self, root: bytes, before: Cached | None) -> Cached:
        from countermark.adapters import tuf_refresh  # noqa: PLC0415 - loads python-tuf

        known = {} if before is None else before.metadata
        now = self._clock()
        return tuf_refresh.refresh(
            self._client, self.mirror, root, known, _NAMES, now, tls_for=self._tls_for
        )

    def _first_root(self) -> bytes:
        kept = (cache.root(self.mirror) for cache in self._caches)
        found = self._root or next((each for each in kept if each), b"")
        if not found and self.mirror == PUBLIC_MIRROR:
            found = storage.read(_PUBLIC_ROOT, limits.TUF_FILE_BYTES) or b""
        if not found:
            raise ConfigError(
                f"nothing says which root of {self.mirror} is to be believed",
                hint="initialize it once with its root.json",
            )
        return found


class TrustedRoots:
    """Chooses trusted roots for verifiers: a file where one is configured, or a Sigstore's.

    Nothing is fetched where a file is configured, but for who names the public Sigstore.
    """

    def __init__(self, path: str, configured: SigstoreRoot, public: SigstoreRoot) -> None:
        self._path, self._configured, self._public = path, configured, public

    def trusted_root(self, name: str) -> TrustedRoot:
        """Return the configured one (""), or the ``public`` Sigstore's.

        Raises:
            UnavailableError: it is not to be had now. ConfigError: there is none, or it is wrong.
        """
        if name == "public":
            return _believed(self._public)
        if name:
            raise InputError(f"no trusted root has this name: {name[:80]!r}")
        return self._from_file() if self._path else _believed(self._configured)

    def _from_file(self) -> TrustedRoot:
        try:
            content = storage.read(self._path, limits.TUF_FILE_BYTES)
            if content is None:
                raise ConfigError("there is no such file", file=self._path)
            return trusted_root.parse(content)
        except (EvidenceError, StorageError) as error:
            raise ConfigError(str(error), file=self._path) from None


def _believed(source: SigstoreRoot) -> TrustedRoot:
    """A mirror that lies or is broken tells nothing about signatures: we could not find out."""
    try:
        return source.trusted_root()
    except EvidenceError as error:
        raise UnavailableError(f"no trusted root: {error}", hint=error.hint) from None


def _is_fresh(kept: Cached, now: datetime) -> bool:
    return now < kept.expires and timedelta() <= now - kept.fetched < _FRESH
