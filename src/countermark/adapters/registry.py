"""OCI distribution client."""

from countermark.adapters.http_wire import Headers
from countermark.adapters.registry_requests import Call, RegistryRequests, next_page
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    MalformedError,
    RefusedError,
)
from countermark.core.light import partial
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import oci
from countermark.formats.strict_json import Reader, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from countermark.adapters.docker_config import CaFolders
    from countermark.adapters.http_exchange import Answer
    from countermark.adapters.registry_auth import Authenticator
    from countermark.adapters.registry_map import RegistryMap
    from countermark.core.errors import CountermarkError

_ACCEPT = ", ".join(oci.MEDIA_TYPES)
_UNSPECIFIC = frozenset(("", "application/json", "application/octet-stream", "text/plain"))


class RegistryClient:
    """Reads and writes registries; fulfils Registry, BlobSource and RegistryWriter of core/ports.

    A registry is believed in one thing only: which digest a tag has now. Whoever controls it can move tags and
    withhold content; content under another digest than asked for is refused.
    """

    def __init__(
        self,
        authenticator: "Authenticator",
        places: "RegistryMap",
        certificates: "CaFolders",
        *,
        whole_bytes: int = limits.UPLOAD_WHOLE_BYTES,
        chunk_bytes: int = limits.UPLOAD_CHUNK_BYTES,
    ) -> None:
        """Blobs longer than ``whole_bytes`` are uploaded in chunks of ``chunk_bytes``, one of them in memory."""
        self._requests = RegistryRequests(authenticator, places, certificates)
        self._whole_bytes, self._chunk_bytes = whole_bytes, chunk_bytes
        self._with_etags: set[str] = set()  # registries whose manifests have had one

    # Registry ---------------------------------------------------------------------------------------

    def resolve(self, reference: ImageReference) -> Subject:
        """Ask which digest a tag (or digest) has now: HEAD, or GET where HEAD does not say.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports.
            EvidenceError: an answer that contradicts itself or is no manifest that we know.
        """
        wanted = reference.with_default_tag()
        call = self._manifest_call(wanted, "HEAD")
        try:
            answer = self._requests.answer(wanted.repository, call, 200)
        except RefusedError as error:
            if error.status not in (400, 405):
                raise
            return self._resolve_by_content(wanted)  # registries that do not know HEAD
        digest = _stated_digest(answer.headers)
        media_type = oci.media_type_of(answer.headers.one("content-type"))
        size = answer.headers.one("content-length")
        if digest is None or not size.isdigit() or media_type not in oci.MEDIA_TYPES:
            return self._resolve_by_content(wanted)
        return _subject(wanted, digest, int(size[:12]), media_type)

    def _resolve_by_content(self, wanted: ImageReference) -> Subject:
        content, media_type, digest = self._fetched(wanted)
        return _subject(wanted, digest, len(content), media_type)

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        """Fetch a manifest by digest: its bytes, hashed again by us, and its media type.

        Raises:
            As ``resolve``; EvidenceError ``checksum`` where the bytes do not have this digest.
        """
        reference = ImageReference(repository=repository, digest=digest)
        content, media_type, _ = self._fetched(reference)
        return content, media_type

    def tagged(self, repository: Repository, tag: str) -> tuple[bytes, str]:
        """Fetch what a tag points to now: its bytes and its media type.

        Raises:
            As ``resolve``.
        """
        wanted = ImageReference(repository=repository, tag=tag)
        content, media_type, _ = self._fetched(wanted)
        return content, media_type

    def many_manifests(
        self,
        repository: Repository,
        wanted: "Sequence[tuple[Digest, int]]",
        at_once: int,
    ) -> "list[tuple[bytes, str] | CountermarkError]":
        """Fetch several manifests, on so many connections at most: of each what ``manifest`` returns or raises.

        ``wanted`` are digests and what is said to be the sizes, on which nothing rests but how they are asked for.
        All together may have ``SIGNATURES_BYTES``; the rest are errors.
        """
        from countermark.adapters import registry_many  # noqa: PLC0415 - content trust has none

        allowed = registry_many.Allowance(limits.SIGNATURES_BYTES)

        def question(digest: Digest, size: int) -> "registry_many.Question[tuple[bytes, str]]":
            reference = ImageReference(repository=repository, digest=digest)

            def read(answer: "Answer") -> tuple[bytes, str]:
                content, media_type, _ = self._read_manifest(reference, answer)
                return allowed.take(content), media_type

            return self._manifest_call(reference, "GET"), size, read

        questions = [question(digest, size) for digest, size in wanted]
        return registry_many.all_answers(self._requests, repository, questions, at_once)

    def _fetched(self, wanted: ImageReference) -> tuple[bytes, str, Digest]:
        call = self._manifest_call(wanted, "GET")
        return self._read_manifest(wanted, self._requests.answer(wanted.repository, call, 200))

    def _read_manifest(self, wanted: ImageReference, answer: "Answer") -> tuple[bytes, str, Digest]:
        media_type = oci.media_type_of(answer.headers.one("content-type"))
        given = "" if media_type in _UNSPECIFIC else media_type
        document = oci.parse_document(answer.content, given)
        stated = _stated_digest(answer.headers)
        digest = wanted.digest or stated or Digest.of(answer.content)
        for each in (digest, stated):
            if each is not None and not each.matches(answer.content):
                raise _wrong_digest(str(wanted), each)
        if answer.headers.one("etag") == f'"{digest}"':
            self._with_etags.add(wanted.repository.registry)
        return answer.content, document.media_type, digest

    def _manifest_call(self, wanted: ImageReference, method: str) -> Call:
        return Call(
            method=method,
            tail=f"manifests/{wanted.digest or wanted.tag}",
            headers={"Accept": _ACCEPT},
            follow=True,
            what=f"manifest for {wanted.familiar}",
        )

    # BlobSource -------------------------------------------------------------------------------------

    def open_blob(self, repository: Repository, digest: Digest, size: int) -> "Iterator[bytes]":
        """Yield a blob's bytes; the last step raises EvidenceError unless digest and size are right.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports.
        """
        call = _blob_call(digest, size)
        stream = self._requests.stream(repository, call, 200)
        import hashlib  # noqa: PLC0415 - OpenSSL's, for gigabytes; verifying needs no blob

        seen = hashlib.new(digest.algorithm)
        left = size
        with stream:
            for piece in stream.chunks():
                seen.update(piece)
                left -= len(piece)
                yield piece
        if left or seen.hexdigest() != digest.hex:
            raise _wrong_digest(f"blob of {repository.name}", digest)

    def blob(self, repository: Repository, digest: Digest, size: int) -> bytes:
        """Fetch a small blob whole.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports. EvidenceError: its digest or size is wrong.
        """
        call = _blob_call(digest, size)
        return _read_blob(repository, digest, size, self._requests.answer(repository, call, 200))

    def many_blobs(
        self,
        repository: Repository,
        wanted: "Sequence[tuple[Digest, int]]",
        at_once: int,
    ) -> "list[bytes | CountermarkError]":
        """Fetch several small blobs, of which digest and size are given, in the same way."""
        from countermark.adapters import registry_many  # noqa: PLC0415 - as above

        questions = [
            (_blob_call(digest, size), size, partial(_read_blob, repository, digest, size))
            for digest, size in wanted
        ]
        return registry_many.all_answers(self._requests, repository, questions, at_once)

    # Lists ------------------------------------------------------------------------------------------

    def tags(self, repository: Repository) -> "Iterator[str]":
        """Yield a repository's tags in the registry's order, page after page.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports.
            EvidenceError: an answer is no list of tags, or sends us elsewhere.
        """
        call = Call(
            method="GET",
            tail=f"tags/list?n={limits.TAG_PAGE}",
            max_bytes=limits.JSON_BYTES,
            follow=True,
            what=f"repository {repository.familiar}",
        )
        for _ in range(limits.PAGES):
            answer = self._requests.answer(repository, call, 200)
            document = Reader(parse(answer.content))
            for tag in document.texts("tags") if document.has("tags") else ():
                try:
                    ImageReference(repository=repository, tag=tag)
                except InputError as error:
                    raise MalformedError(str(error), path="tags") from None
                yield tag
            following = next_page(answer)
            if following is None:
                return
            call = call.replace(at=following)
        raise MalformedError(f"more than {limits.PAGES} pages of tags", code=Code.TOO_LARGE)

    def referrers(
        self, repository: Repository, subject: Digest, artifact_type: str = ""
    ) -> "tuple[oci.Descriptor, ...]":
        """List what refers to a subject, by the API or by the fallback tag; of one artifact type, or of all.

        Raises:
            RefusedError, UnavailableError: see core/ports. EvidenceError: an answer is no index.
        """
        from countermark.adapters import registry_referrers  # noqa: PLC0415 - content trust has none

        return registry_referrers.find(self._requests, repository, subject, artifact_type)

    def tags_beginning(self, repository: Repository, prefix: str) -> "tuple[str, ...]":
        """List the tags that begin with a prefix.

        Raises:
            RefusedError, UnavailableError, EvidenceError: see core/ports.
        """
        from countermark.adapters import registry_referrers  # noqa: PLC0415 - as above

        return registry_referrers.tags_beginning(self._requests, repository, prefix)

    def repair_referrers(self, repository: Repository, subject: Digest) -> int:
        """List again what the fallback tag has lost and has a tag of its own; say how many those were.

        Raises:
            RefusedError, UnavailableError, EvidenceError: see core/ports.
        """
        from countermark.adapters import registry_referrers  # noqa: PLC0415 - as above

        return registry_referrers.repair(self._requests, repository, subject)

    # RegistryWriter ---------------------------------------------------------------------------------

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Say whether a blob is there already.

        Raises:
            RefusedError, UnavailableError: see core/ports.
        """
        from countermark.adapters import registry_upload  # noqa: PLC0415 - only pushes

        return registry_upload.has_blob(self._requests, repository, digest)

    def put_blob(
        self, repository: Repository, digest: Digest, size: int, content: "Iterator[bytes]"
    ) -> None:
        """Upload a blob of known digest and size.

        Raises:
            RefusedError, UnavailableError: see core/ports. EvidenceError: ``checksum``, the content is another.
            Whatever the content itself raises.
        """
        from countermark.adapters import registry_upload  # noqa: PLC0415 - only pushes

        upload = registry_upload.Upload(self._requests, repository, digest, size)
        upload.whole_bytes, upload.chunk_bytes = self._whole_bytes, self._chunk_bytes
        upload.send(content)

    def mount_blob(self, repository: Repository, digest: Digest, source: Repository) -> bool:
        """Put a blob of another repository of the same registry into this one; False where it has to be uploaded.

        Raises:
            RefusedError, UnavailableError: see core/ports.
        """
        from countermark.adapters import registry_upload  # noqa: PLC0415 - only pushes

        return registry_upload.mount_blob(self._requests, repository, digest, source)

    def put_manifest(
        self, repository: Repository, name: str, media_type: str, content: bytes
    ) -> Digest:
        """Put a manifest under a tag or digest and return its digest, on which the registry agrees.

        A manifest that names a subject is listed on the subject's fallback tag, where the registry has no referrers.

        Raises:
            RefusedError, UnavailableError: see core/ports.
            EvidenceError: ``checksum``, the registry has another digest; the content is no manifest of this type.
        """
        from countermark.adapters import registry_referrers  # noqa: PLC0415 - only pushes

        return registry_referrers.put_manifest(
            self._requests, repository, name, media_type, content
        )

    def replace_tag(
        self,
        repository: Repository,
        tag: str,
        media_type: str,
        content: bytes,
        before: Digest | None,
    ) -> bool:
        """Put a manifest under a tag that meant ``before`` (None: nothing); False where it means another one now.

        Only registries that give ETags can tell; others put it anyway.

        Raises:
            RefusedError, UnavailableError: see core/ports.
        """
        from countermark.adapters import registry_referrers  # noqa: PLC0415 - only pushes

        known = before is not None and repository.registry in self._with_etags
        return registry_referrers.replace_tag(
            self._requests, repository, tag, media_type, content, f'"{before}"' if known else ""
        )

    def delete_manifest(self, repository: Repository, name: str) -> None:
        """Delete a manifest by digest, or a tag where the registry can.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports.
        """
        from countermark.adapters import registry_upload  # noqa: PLC0415 - rare

        registry_upload.delete(self._requests, repository, f"manifests/{name}")

    def delete_blob(self, repository: Repository, digest: Digest) -> None:
        """Delete a blob from a repository.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports.
        """
        from countermark.adapters import registry_upload  # noqa: PLC0415 - rare

        registry_upload.delete(self._requests, repository, f"blobs/{digest}")


def _blob_call(digest: Digest, size: int) -> Call:
    return Call(method="GET", tail=f"blobs/{digest}", max_bytes=size, follow=True)


def _read_blob(repository: Repository, digest: Digest, size: int, answer: "Answer") -> bytes:
    content = answer.content
    if len(content) != size or not digest.matches(content):
        raise _wrong_digest(f"blob of {repository.name}", digest)
    return content


def _subject(wanted: ImageReference, digest: Digest, size: int, media_type: str) -> Subject:
    if wanted.digest is not None and digest != wanted.digest:
        raise _wrong_digest(str(wanted), wanted.digest)
    if size > limits.MANIFEST_BYTES:
        raise MalformedError(f"manifest of {size} bytes", code=Code.TOO_LARGE)
    return Subject(
        repository=wanted.repository,
        digest=digest,
        tag=wanted.tag,
        size=size,
        media_type=media_type,
    )


def _stated_digest(headers: Headers) -> Digest | None:
    text = headers.one("docker-content-digest")
    if not text:
        return None
    try:
        return Digest.parse(text)
    except InputError as error:
        raise MalformedError(str(error), path="Docker-Content-Digest") from None


def _wrong_digest(what: str, digest: Digest) -> EvidenceError:
    return MalformedError(
        f"{what}: the content is not what digest {digest} names", code=Code.CHECKSUM
    )
