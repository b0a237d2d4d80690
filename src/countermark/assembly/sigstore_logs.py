"""The logs of a private Sigstore, opened where they lie: the newest of a kind takes entries, the others show theirs.

A log that another has followed is frozen when it is opened, so that a rotation which a crash has interrupted is
finished at the next start. One that ended in a backup signs nothing more at all.
"""

from countermark.adapters.log_index import SqlLogIndex
from countermark.assembly.log_places import LogPlace, LogPlaces
from countermark.assembly.log_stores import LogStores
from countermark.core.errors import ConfigError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import SigningKey, TileStore
from countermark.core.value import Value
from countermark.formats.trusted_root import Instance
from countermark.services.log_publishing import Publisher
from countermark.services.log_sequencer import Sequencer
from countermark.services.log_witnesses import Witnesses
from countermark.services.transparency_log import Shard, TransparencyLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Service(Protocol):
        """What each service is to the server."""

        def serves(self, path: str) -> bool: ...

        def answer(self, request: Request) -> Response: ...


class Below:
    """A service under a path: it is asked, and answers, as if that were not there."""

    def __init__(self, path: str, service: "Service") -> None:
        self._path, self._service = path, service

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's."""
        below = path.removeprefix(self._path)
        return path.startswith(f"{self._path}/") and self._service.serves(below)

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        below = request.path.removeprefix(self._path)
        return self._service.answer(request.replace(path=below))


class OpenedLog(Value):
    """A log of ours: what is believed of it, where it lies, its index, its files, the way into it."""

    instance: Instance
    place: LogPlace
    index: SqlLogIndex
    files: TileStore
    sequencer: Sequencer


class LogOpener:
    """Opens logs.

    Args:
        stores: the databases and tiles that we can reach.
        places: where logs lie.
        clock: the time.
    """

    def __init__(self, stores: LogStores, places: LogPlaces, clock: Clock) -> None:
        self._stores, self._places, self._clock = stores, places, clock

    def place(self, log: Instance) -> LogPlace:
        """Where a transparency log lies."""
        return self._places.of(log.log_id) or LogPlace(name=log.origin)

    def opened(
        self, log: Instance, place: LogPlace, origin: str, key: SigningKey, witnesses: Witnesses
    ) -> OpenedLog:
        """Open a log; its checkpoints are in the name of ``origin``.

        Raises:
            ConfigError: the configuration does not say how to reach it. StorageError, UnavailableError.
        """
        index, files = (
            SqlLogIndex(self._stores.database(place), place.name),
            self._stores.files(place),
        )
        publisher = Publisher(origin, [key], files, witnesses, self._clock)
        if publisher.log_id != log.log_id:
            raise ConfigError(
                f"the key of {origin} is not the one that the trusted root names",
                file=self._places.path,
            )
        sequencer = Sequencer(index, files, publisher)
        return OpenedLog(instance=log, place=place, index=index, files=files, sequencer=sequencer)


def end(log: OpenedLog) -> None:
    """See to it that a log which another has followed takes nothing more, and says so.

    Raises:
        StorageError, UnavailableError, KeyAccessError: it cannot be frozen now.
    """
    if not log.place.is_restored:
        log.sequencer.freeze()
    elif not log.sequencer.is_frozen():
        log.index.freeze()  # and no word of it: others may have seen more of this log


def transparency_services(logs: "Sequence[OpenedLog]") -> "list[Service]":
    """The services of some transparency logs, the oldest first: those that share a path are told apart by host."""
    paths: dict[str, list[Shard]] = {}
    for log in reversed(logs):
        shard = Shard(origin=log.instance.origin, sequencer=log.sequencer, files=log.files)
        paths.setdefault(log.place.path, []).append(shard)
    return [
        Below(path, TransparencyLog(shards)) if path else TransparencyLog(shards)
        for path, shards in paths.items()
    ]
