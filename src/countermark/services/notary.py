"""The Notary v1 server API.

What notary-server v0.7.0 answers, route by route (specs: notary v1, section 4; dct-observed, section 3); where it is
broken or careless ours differs, and ``docs/compatibility.md`` says so. Its thief wins what its stores' do.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import parse_qs

from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    StorageError,
)
from countermark.core.ports import Clock
from countermark.core.ports_hosting import (
    HotAnswer,
    Request,
    Response,
    ServerKeys,
    StoredFile,
    TrustStore,
)
from countermark.core.value import Value
from countermark.formats.tuf import SNAPSHOT, TIMESTAMP
from countermark.services import notary_answers as answers
from countermark.services.access import Access
from countermark.services.notary_repositories import Repositories
from countermark.services.notary_signing import refresh_at
from countermark.services.notary_state import Lifetimes
from countermark.services.notary_uploads import (
    BadPartError,
    InvalidUpdateError,
    StaleUpdateError,
    read_parts,
)

_ROLE = r"(?P<role>root|targets(?:/[^/\s]+)*|snapshot|timestamp)"
_TUF = r"/v2/(?P<gun>[^*]+)/_trust/tuf/"
_UPDATE = re.compile(_TUF)
_BY_HASH = re.compile(
    _TUF + _ROLE + r"\.(?P<hash>[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})\.json"
)
_BY_VERSION = re.compile(_TUF + r"(?P<version>[1-9]*[0-9]+)\." + _ROLE + r"\.json")
_CURRENT = re.compile(_TUF + _ROLE + r"\.json")
_KEY = re.compile(_TUF + r"(?P<role>snapshot|timestamp)\.key")
_FEED = re.compile(r"/v2/(?:(?P<gun>[^*]+)/)?_trust/changefeed")
_HEALTH = "/_notary_server/health"
_PING = "/v2/"
_METHODS = ("GET", "POST", "PUT", "HEAD", "DELETE")

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_HOT_ANSWERS = 20_000
_HOT_BODY_BYTES = 256 * 1024  # larger ones go through a worker, which waits for slow readers
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_Found = dict[str, str]


class _Hot(Value):
    """An answer that holds while a repository's newest timestamp is ``basis``, and until a time."""

    gun: str
    basis: StoredFile
    until: datetime | None
    answer: HotAnswer


class Notary:
    """A trust server.

    Args:
        store: its metadata.
        keys: the private keys that it signs with.
        access: who may do what.
        clock: the time.
        lifetimes: how long what it signs holds.
        gun_prefixes: beginnings of the only repositories that it serves, each with a slash at its end; none for all.
    """

    def __init__(
        self,
        store: TrustStore,
        keys: ServerKeys,
        access: Access,
        clock: Clock,
        *,
        lifetimes: Lifetimes | None = None,
        gun_prefixes: Sequence[str] = (),
    ) -> None:
        self._lifetimes = lifetimes or Lifetimes()
        self._store = store
        self._access = access
        self._clock = clock
        self._prefixes = tuple(_checked_prefix(prefix) for prefix in gun_prefixes)
        self._repositories = Repositories(store, keys, clock, self._lifetimes)
        self._hot: OrderedDict[str, _Hot] = OrderedDict()
        self._hot_lock = threading.Lock()
        # tried in this order, as notary-server's router does; a role could otherwise swallow a hash
        self._routes: tuple[tuple[str, re.Pattern[str], Sequence[str], _Handler], ...] = (
            ("POST", _UPDATE, ("push", "pull"), self._update),
            ("GET", _BY_HASH, ("pull",), self._by_hash),
            ("GET", _BY_VERSION, ("pull",), self._by_version),
            ("GET", _CURRENT, ("pull",), self._current),
            ("GET", _KEY, ("push", "pull"), self._key),
            ("POST", _KEY, ("*",), self._key),
            ("DELETE", _UPDATE, ("*",), self._delete),
            ("GET", _FEED, ("pull",), self._changefeed),
        )

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's; a component of an image's name cannot begin with ``_``."""
        return "/_trust/" in path or path == _HEALTH

    def check(self) -> None:
        """Ask whether the store works.

        Raises:
            UnavailableError, StorageError: it does not.
        """
        self._store.check()

    def hot(self, path: str, authorization: str) -> HotAnswer | None:
        """Answer a read from memory where that takes microseconds; None where it does not (port ``HotReads``)."""
        with self._hot_lock:
            found = self._hot.get(path)
            if found is None:
                return None
            self._hot.move_to_end(path)
        try:
            if not self._access.reads_at_once(authorization):
                return None
            if self._store.peek(found.gun, TIMESTAMP) is found.basis and (
                found.until is None or self._clock() < found.until
            ):
                return found.answer
        except CountermarkError:
            pass  # whoever answers it in a worker will say what is wrong
        with self._hot_lock:
            self._hot.pop(path, None)
        return None

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        if request.method not in _METHODS:
            return Response(status=405)
        if request.path == _HEALTH and request.method in ("GET", "HEAD"):
            return self._health()
        method = "GET" if request.method == "HEAD" else request.method
        if request.path == _PING and method == "GET":
            return self._ping(request)
        for wanted, pattern, actions, handler in self._routes:
            found = pattern.fullmatch(request.path) if wanted == method else None
            if found is not None:
                return self._guarded(request, found.groupdict(default=""), actions, handler)
        return self._nothing_here(request)

    def _ping(self, request: Request) -> Response:
        """Answer where clients learn how to log in; on one address with a registry, the registry does."""
        refusal = self._access.refusal(request, "", ())
        if refusal is not None:
            return answers.unauthorized(refusal, "", ("*",))
        return answers.text(b"{}")

    def _nothing_here(self, request: Request) -> Response:
        if not self._access.everybody_reads:
            refusal = self._access.refusal(request, "", ())
            if refusal is not None:
                return answers.unauthorized(refusal, "", ("*",))
        return answers.failure("METADATA_NOT_FOUND")

    def _guarded(
        self, request: Request, found: _Found, actions: Sequence[str], handler: "_Handler"
    ) -> Response:
        """Ask whether the repository is ours and the caller may; then answer, whatever happens."""
        gun = found["gun"]
        updating = handler == self._update
        if handler != self._changefeed or gun:
            refused = self._refused_name(gun, updating=updating)
            if refused is not None:
                return refused
        else:
            actions = ("*",)
        refusal = self._access.refusal(request, gun, actions)
        if refusal is not None:
            return answers.unauthorized(refusal, gun, actions)
        try:
            return handler(request, found)
        except KeyAccessError as error:
            return answers.our_fault("NO_CRYPTOSERVICE", error)
        except StorageError as error:
            return answers.our_fault("UPDATING" if updating else "UNKNOWN", error)

    def _refused_name(self, gun: str, *, updating: bool) -> Response | None:
        """Refuse repositories that are not ours, before anybody is asked who they are."""
        detail: tuple[object, ...] = ()
        if self._prefixes and not gun.startswith(self._prefixes):
            detail = (f"Require GUNs with prefix: [{' '.join(self._prefixes)}]",)
        elif len(gun) <= limits.GUN_CHARS and not _CONTROL.search(gun):
            return None
        if updating:
            return answers.failure("INVALID_GUN", *detail)
        return answers.failure("METADATA_NOT_FOUND")

    # reading ----------------------------------------------------------------------------------------

    def _by_hash(self, request: Request, found: _Found) -> Response:
        # only sha256 is kept, and in lower case: as notary-server on PostgreSQL
        return self._read(
            request, found, lambda gun, role: self._store.by_hash(gun, role, found["hash"])
        )

    def _by_version(self, request: Request, found: _Found) -> Response:
        digits = found["version"]
        if len(digits) > 20 or int(digits) > _INT64:
            detail = {"Func": "Atoi", "Num": digits[:64], "Err": {}}
            return answers.failure("METADATA_NOT_FOUND", detail)
        version = int(digits)
        return self._read(
            request, found, lambda gun, role: self._store.by_version(gun, role, version)
        )

    def _current(self, request: Request, found: _Found) -> Response:
        return self._read(request, found, self._repositories.current, current=True)

    def _read(
        self,
        request: Request,
        found: _Found,
        get: Callable[[str, str], StoredFile | None],
        *,
        current: bool = False,
    ) -> Response:
        gun, role = found["gun"], found["role"]
        basis = self._store.newest(gun, TIMESTAMP)  # before anything else: see _remember
        file = get(gun, role) if basis is not None else None
        if file is None or basis is None:
            return answers.failure("METADATA_NOT_FOUND", {})
        response = answers.metadata(file, current=current)
        if request.method == "GET" and len(file.content) <= _HOT_BODY_BYTES:
            due = current and role in (SNAPSHOT, TIMESTAMP)
            self._remember(request.path, gun, basis, response, due=due)
        return response

    def _remember(
        self, path: str, gun: str, basis: StoredFile, response: Response, *, due: bool
    ) -> None:
        """Keep an answer, if nothing was published since ``basis`` was read."""
        until = None
        if due:
            snapshot = self._store.newest(gun, SNAPSHOT)
            if snapshot is None:
                return
            until = refresh_at(snapshot, basis, self._lifetimes)
        if self._store.peek(gun, TIMESTAMP) is not basis:
            return
        entry = _Hot(gun=gun, basis=basis, until=until, answer=answers.hot(response))
        with self._hot_lock:
            self._hot[path] = entry
            while len(self._hot) > _HOT_ANSWERS:
                self._hot.popitem(last=False)

    def _changefeed(self, request: Request, found: _Found) -> Response:
        query = parse_qs(request.query, keep_blank_values=True, max_num_fields=50)
        text = query.get("records", [""])[0]
        count = _int32(text)
        if isinstance(count, str):
            return answers.failure("INVALID_PARAMETERS", f"invalid records parameter: {count}")
        after = _int32(query.get("change_id", [""])[0] or "0")
        if isinstance(after, str):
            return answers.failure("INVALID_PARAMETERS", {})
        count = max(-limits.CHANGEFEED_RECORDS, min(count or 100, limits.CHANGEFEED_RECORDS))
        if after < 0:
            after, count = 0, -abs(count)
        return answers.changefeed(self._store.changes(found["gun"], after, count))

    def _health(self) -> Response:
        try:
            self.check()
        except CountermarkError as error:
            return answers.health({"DB operational": str(error)[:200]})
        return answers.health({})

    # writing ----------------------------------------------------------------------------------------

    def _update(self, request: Request, found: _Found) -> Response:
        try:
            kind = request.headers.get("content-type", "")
            uploads = read_parts(kind, request.body.chunks())
            self._repositories.publish(found["gun"], uploads)
        except BadPartError as error:
            detail = (error.role,) if error.kind == "INVALID_ROLE" else ()
            return answers.failure(error.kind, *detail)
        except InvalidUpdateError as error:
            return answers.invalid_update(error)
        except StaleUpdateError:
            return answers.failure("VERSION", {})
        except InputError as error:
            status = 413 if error.code == Code.TOO_LARGE else 400
            return answers.failure("MALFORMED_UPLOAD", status=status)
        return Response(status=200)

    def _delete(self, request: Request, found: _Found) -> Response:
        del request
        self._repositories.delete(found["gun"])
        return Response(status=200)

    def _key(self, request: Request, found: _Found) -> Response:
        key = self._repositories.public_key(
            found["gun"], found["role"], rotate=request.method == "POST"
        )
        return answers.text(key)


_Handler = Callable[[Request, _Found], Response]


def _int32(text: str) -> int | str:
    """Read a decimal number as Go's ParseInt does; its error text where it is none."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return f"strconv.ParseInt: parsing {_quoted(text)}: invalid syntax"
    if len(text) > 12 or not -_INT32 - 1 <= int(text) <= _INT32:
        return f"strconv.ParseInt: parsing {_quoted(text)}: value out of range"
    return int(text)


def _quoted(text: str) -> str:
    return '"' + text[:64].replace("\\", "\\\\").replace('"', '\\"') + '"'


def _checked_prefix(prefix: str) -> str:
    """Refuse a prefix that no clean name can have.

    Raises:
        InputError: it does not end in ``/``, or is absolute or not clean.
    """
    parts = prefix[:-1].split("/")
    if not prefix.endswith("/") or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"invalid GUN prefix {prefix[:80]!r}", hint="as docker.io/ or my.io/team/")
    return prefix
