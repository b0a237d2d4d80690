"""A transparency log with the API of Rekor 2, and its tiles for everybody (C2SP tlog-tiles).

What rekor-tiles 2.3 answers (specs: cosign, 2g; observed, 5.4); where that leaves reading to another server ours
answers. An answer of 201 means that the entry is kept durably and proven under a checkpoint that everybody can see.
The thief of its key can show different logs to different people until witnesses or auditors compare.
"""

from collections.abc import Sequence

from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    RefusedError,
    UnavailableError,
)
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import IndexedEntry, TileReader
from countermark.core.value import Value
from countermark.formats import rekor, strict_json
from countermark.formats.go_text import to_base64
from countermark.formats.tiles import CHECKPOINT, TilePlace
from countermark.proofs.log import leaf_hash
from countermark.services import gateway, log_requests
from countermark.services.log_reading import LogFiles
from countermark.services.log_sequencer import FROZEN, PUSHED_BACK, Added, Sequencer
from countermark.services.log_terms import terms_of

ENTRIES_PATH = "/api/v2/log/entries"
_FILES, _TILES = "/api/v2/", "/api/v2/tile/"
_CHECKPOINT_PATH = f"{_FILES}{CHECKPOINT}"
HEALTH = "/healthz"

_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_BYTES = ("Content-Type", "application/octet-stream")
_FRESH = ("Cache-Control", "no-cache")
_FOREVER = ("Cache-Control", "public, max-age=31536000, immutable")


class Shard(Value):
    """One log: its name, the one way into it, its files. Frozen ones are read only.

    ``origin`` is the host under which clients reach it, as its checkpoints say.
    """

    origin: str
    sequencer: Sequencer
    files: TileReader


class TransparencyLog:
    """The logs of one service: the first takes entries, the others did before it.

    Which one is meant, the host says that was asked for; any other host means the first.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Take the logs, the newest first."""
        self._shards = {shard.origin: shard for shard in shards}
        self._first = shards[0]

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's."""
        return path in (ENTRIES_PATH, _CHECKPOINT_PATH, HEALTH) or path.startswith(_TILES)

    def check(self) -> None:
        """Ask whether the log works; raises what it meets."""
        self._first.sequencer.check()

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        if request.path == ENTRIES_PATH:
            return self._add(request) if request.method == "POST" else gateway.wrong_method()
        if request.path == HEALTH and request.method == "GET":
            return gateway.found({"status": "SERVING"})
        if not TransparencyLog.serves(self, request.path):
            return gateway.unknown_path()
        if request.path == HEALTH or request.method not in ("GET", "HEAD"):
            return gateway.wrong_method()
        try:
            return _file(self._shard(request), request.path.removeprefix(_FILES))
        except CountermarkError as error:
            return _trouble(error)

    def _shard(self, request: Request) -> Shard:
        host = request.headers.get("host", "").lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return self._shards.get(name.strip("[]"), self._first)

    def _add(self, request: Request) -> Response:
        shard = self._shard(request)
        try:
            record = log_requests.record_of(log_requests.read(request))
        except log_requests.RefusedError as refused:
            return _frozen() if shard.sequencer.is_frozen() else refused.answer
        body = record.encode()
        entry = IndexedEntry(identity=leaf_hash(body), body=body, terms=terms_of(record))
        try:
            added = shard.sequencer.add(entry)
        except CountermarkError as error:
            return _trouble(error)
        if added.is_duplicate:
            return _duplicate(added.place)
        return Response(
            status=201, headers=(gateway.JSON,), body=_answer(shard.sequencer.log_id, added, body)
        )


def _file(shard: Shard, path: str) -> Response:
    """Answer with a checkpoint, a tile or a bundle."""
    files = LogFiles(shard.files)
    if path == CHECKPOINT:
        text = files.checkpoint()
        if text is None:
            return gateway.unknown_path()
        return Response(status=200, headers=(_TEXT, _FRESH), body=text.encode())
    try:
        place = TilePlace.parse(path)
    except EvidenceError:
        return gateway.unknown_path()
    content = files.tile(place)
    if content is None:
        return gateway.unknown_path()
    return Response(status=200, headers=(_BYTES, _FOREVER), body=content)


def _answer(log_id: bytes, added: Added, body: bytes) -> bytes:
    """Write the entry with all of its members, as ``protojson`` writes empty ones too."""
    checkpoint = added.published.checkpoint
    return strict_json.compact(
        {
            "logIndex": str(added.place),
            "logId": {"keyId": to_base64(log_id)},
            "kindVersion": {"kind": rekor.HASHEDREKORD, "version": rekor.VERSION_2},
            "integratedTime": "0",
            "inclusionPromise": None,
            "inclusionProof": {
                "logIndex": str(added.place),
                "rootHash": to_base64(checkpoint.root),
                "treeSize": str(checkpoint.size),
                "hashes": [to_base64(each) for each in added.hashes],
                "checkpoint": {"envelope": added.published.note},
            },
            "canonicalizedBody": to_base64(body),
        }
    )


def _duplicate(place: int) -> Response:
    answer = gateway.failure(
        gateway.ALREADY_EXISTS,
        f"an equivalent entry already exists in the transparency log with index {place}",
    )
    return answer.replace(headers=(*answer.headers, ("X-Log-Index", str(place))))


def _frozen() -> Response:
    return Response(status=405, headers=(_TEXT,), body=f"{FROZEN}\n".encode())


def _trouble(error: CountermarkError) -> Response:
    """Say what stands in the way of an entry or a file."""
    if isinstance(error, RefusedError) and error.code == Code.WITHDRAWN:
        return _frozen()
    if isinstance(error, UnavailableError):
        message = PUSHED_BACK if str(error) == PUSHED_BACK else "the log cannot answer now; retry"
        return gateway.failure(gateway.UNAVAILABLE, message, problem=f"{error.code}: {error}")
    message = "failed to integrate entry"
    return gateway.failure(gateway.UNKNOWN, message, problem=f"{error.code}: {error}")
