"""Blobs into a registry: in one request, or in chunks that are sent again where one is lost.

The steps of the distribution-spec (1.1, "Pushing blobs"). One request does for most blobs and is what all registries
know; large ones go in chunks, of which one is in memory, since a connection seldom lasts through gigabytes.
"""

from hashlib import sha256, sha512

from countermark.adapters.http_exchange import Answer
from countermark.adapters.http_url import Url
from countermark.adapters.registry_requests import (
    DELETE,
    PULL,
    PUSH,
    Call,
    RegistryRequests,
)
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_OCTETS = "application/octet-stream"


def has_blob(requests: RegistryRequests, repository: Repository, digest: Digest) -> bool:
    """Say whether a blob is there."""
    call = Call(method="HEAD", tail=f"blobs/{digest}", follow=True)
    try:
        requests.answer(repository, call, 200)
    except NotFoundError:
        return False
    return True


def delete(requests: RegistryRequests, repository: Repository, tail: str) -> None:
    """Delete a manifest, tag or blob."""
    call = Call(method="DELETE", tail=tail, actions=DELETE, what=f"{tail} of {repository.name}")
    requests.answer(repository, call, 202, 200, 204)


def mount_blob(
    requests: RegistryRequests, repository: Repository, digest: Digest, source: Repository
) -> bool:
    """Put another repository's blob into this one."""
    here, there = requests.target(repository), requests.target(source)
    if (here.host, here.login_for) != (there.host, there.login_for):
        return False
    call = Call(
        method="POST",
        tail=f"blobs/uploads/?mount={digest}&from={there.path}",
        actions=PUSH,
        also=(f"repository:{there.path}:{PULL}",),
    )
    answer = requests.answer(repository, call, 201, 202)
    if answer.status == 202:  # an upload has begun instead
        _cancel(requests, repository, _location(answer))
        return False
    return True


class Upload:
    """One blob on its way: whole up to ``whole_bytes``, else in chunks of ``chunk_bytes``."""

    def __init__(
        self, requests: RegistryRequests, repository: Repository, digest: Digest, size: int
    ) -> None:
        self._requests, self._repository = requests, repository
        self._digest, self._size = digest, size
        self._location: Url | None = None
        self.whole_bytes = limits.UPLOAD_WHOLE_BYTES
        self.chunk_bytes = limits.UPLOAD_CHUNK_BYTES

    def send(self, content: "Iterator[bytes]") -> None:
        """Send all of it; what was begun is cancelled where that fails."""
        checked = _checked(content, self._digest, self._size)
        try:
            self._begin()
            if self._size <= self.whole_bytes:
                self._send_whole(checked)
            else:
                self._send_chunks(checked)
        except BaseException:
            if self._location:
                _cancel(self._requests, self._repository, self._location)
            raise

    def _begin(self) -> None:
        call = self._call("POST").replace(tail="blobs/uploads/", at=None)
        answer = self._requests.answer(self._repository, call, 202)
        self._location = _location(answer)
        least = answer.headers.one("oci-chunk-min-length")
        if least.isdigit() and int(least[:12]) <= limits.UPLOAD_WHOLE_BYTES:
            self.chunk_bytes = max(self.chunk_bytes, int(least))

    def _call(self, method: str) -> Call:
        return Call(
            method=method,
            at=self._location,
            actions=PUSH,
            headers={"Content-Type": _OCTETS},
            what=f"upload to {self._repository.name}",
        )

    def _send_whole(self, content: "Iterator[bytes]") -> None:
        call = self._call("PUT")
        self._finish(call.replace(body=content, length=self._size))

    def _finish(self, call: Call) -> None:
        if call.at is None:
            raise AssertionError("an upload is finished where it was begun")
        call = call.replace(at=call.at.with_query(("digest", str(self._digest))))
        answer = self._requests.answer(self._repository, call, 201)
        self._location = None
        stated = answer.headers.one("docker-content-digest")
        if stated and stated != str(self._digest):
            raise MalformedError(
                f"the registry stored {stated[:160]} for blob {self._digest}", code=Code.CHECKSUM
            )

    def _send_chunks(self, content: "Iterator[bytes]") -> None:
        start = 0
        parts = _parts(content, self.chunk_bytes)
        for part in parts:
            try:
                self._send_part(part, start)
            except RefusedError as error:
                if start or error.status in (401, 403):
                    raise
                # a registry that takes no chunks: all of it once more, in one request
                self._begin()
                self._send_whole(_joined(part, parts))
                return
            start += len(part)
        self._finish(self._call("PUT"))

    def _send_part(self, part: bytes, start: int) -> None:
        """Send one chunk; where it is lost on the way, ask how much has come, and send the rest."""
        sent = 0
        for attempt in range(limits.UPLOAD_RESUMES + 1):
            rest = part[sent:] if sent else part
            first, last = start + sent, start + len(part) - 1
            call = self._call("PATCH").replace(
                headers={"Content-Type": _OCTETS, "Content-Range": f"{first}-{last}"}, body=rest
            )
            try:
                self._location = _location(self._requests.answer(self._repository, call, 202, 204))
                return
            except UnavailableError:
                if attempt == limits.UPLOAD_RESUMES:
                    raise
            except RefusedError as error:
                if error.status != 416 or attempt == limits.UPLOAD_RESUMES:
                    raise
            sent = self._received() - start
            if sent == len(part):
                return
            if not 0 <= sent < len(part):
                raise UnavailableError(
                    f"upload to {self._repository.name}: the registry lost what it had received"
                )

    def _received(self) -> int:
        answer = self._requests.answer(self._repository, self._call("GET"), 204, 200, 202)
        if answer.headers.all("location"):
            self._location = _location(answer)
        first, dash, last = answer.headers.one("range").removeprefix("bytes=").partition("-")
        if not dash or first != "0" or not last.isdigit():
            raise UnavailableError(
                f"upload to {self._repository.name}: the registry does not say how much it has",
                code=Code.MALFORMED,
            )
        # "0-0" is nothing at all in distribution, and no chunk of ours is one byte
        return int(last[:18]) + 1 if int(last[:18]) else 0


def _location(answer: Answer) -> Url:
    location = answer.headers.one("location")
    try:
        return answer.url.join(location) if location else answer.url
    except InputError as error:
        raise UnavailableError(f"upload location: {error}", code=Code.MALFORMED) from None


def _cancel(requests: RegistryRequests, repository: Repository, location: Url) -> None:
    """Tell the registry to forget an upload; it does so by itself some time, so a failure is none."""
    try:
        call = Call(method="DELETE", at=location, actions=PUSH)
        requests.answer(repository, call, 204, 200, 202)
    except CountermarkError:
        pass


def _checked(content: "Iterator[bytes]", digest: Digest, size: int) -> "Iterator[bytes]":
    seen = sha256() if digest.algorithm == "sha256" else sha512()
    count = 0
    for piece in content:
        count += len(piece)
        seen.update(piece)
        yield piece
    if count != size or seen.hexdigest() != digest.hex:
        raise MalformedError(
            f"the content of {count} bytes is not the blob {digest} of {size}", code=Code.CHECKSUM
        )


def _parts(content: "Iterator[bytes]", size: int) -> "Iterator[bytes]":
    """Yield pieces joined to parts of ``size`` bytes, the last one shorter."""
    held = bytearray()
    for piece in content:
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def _joined(first: bytes, rest: "Iterator[bytes]") -> "Iterator[bytes]":
    yield first
    yield from rest
