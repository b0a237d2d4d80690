"""Copy images: from files, folders and the docker daemon to a registry, and by verified digest back."""

import threading

from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    MalformedError,
    NotFoundError,
)
from countermark.core.ports import (
    BlobSource,
    ImageSource,
    ImageTarget,
    LocalImages,
    Progress,
    Registry,
    RegistryWriter,
)
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.value import Value
from countermark.formats import oci

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Protocol
else:
    Protocol = object

TRANSFERS = 3  # blobs on their way at once; docker's own number for pulls
_LEVELS = 4  # indexes within indexes
_DAEMON = "docker-daemon:"
# layers that stay with their makers by licence: registries have their address only
_ELSEWHERE = ("foreign", "nondistributable")


class FullRegistry(Registry, BlobSource, RegistryWriter, Protocol):
    """A registry that is read and written."""


class Places(Protocol):
    """Where images are beside registries: OCI layouts, docker archives, the docker daemon."""

    def open_source(self, text: str) -> ImageSource:
        """Open ``oci:DIR[:NAME]``, ``docker-archive:FILE[:REF]`` or ``docker-daemon:IMAGE`` for reading.

        Raises:
            InputError: none of these. NotFoundError: nothing there.
        """
        ...

    def open_target(self, text: str, reference: ImageReference) -> ImageTarget:
        """Open a folder or file for writing; ``reference`` names the image there where the text gives no name.

        Raises:
            InputError: neither, or a place that cannot be written to.
        """
        ...

    def daemon(self) -> LocalImages:
        """Return the docker daemon's store.

        Raises:
            UnavailableError: there is none, or it does not answer.
        """
        ...


class Part(Value):
    """A manifest of an image, with what it names: ``blobs`` in it, its bytes."""

    digest: Digest
    media_type: str
    content: bytes
    blobs: tuple[oci.Descriptor, ...]


class Images:
    """Copies images whole: every manifest of an index, every blob of a manifest."""

    def __init__(
        self,
        registry: FullRegistry,
        places: Places,
        progress: Progress,
        platform: oci.Platform,
    ) -> None:
        """Take a registry, the other places, and the platform that is taken where only one fits."""
        self._registry, self._places = registry, places
        self._progress, self._platform = progress, platform

    def push(self, source: str, reference: ImageReference) -> Subject:
        """Send an image to a registry under a tag, and return what the registry has now.

        Children come before their index and blobs before their manifest; the tag moves last, so that whoever pulls
        meanwhile sees the old image or the new one.

        Raises:
            InputError: no source or a broken one, or a name without a tag. EvidenceError: its blobs are not its own.
            NotFoundError, RefusedError, UnavailableError: the registry's part.
        """
        if reference.tag is None or reference.digest is not None:
            raise InputError(f"an image is pushed under a tag: {reference.familiar}")
        opened, content, media_type = self._opened(source)
        try:
            target = _RegistryTarget(self._registry, reference)
            parts = parts_of(opened, content, media_type)
            self._copy(opened, target, parts, f"pushing {reference.familiar}")
        finally:
            opened.close()
        return Subject(
            repository=reference.repository,
            digest=parts[-1].digest,
            tag=reference.tag,
            size=len(content),
            media_type=parts[-1].media_type,
        )

    def _opened(self, source: str) -> tuple[ImageSource, bytes, str]:
        """Open a source; one that is missing or broken is a mistake in what we were told, not evidence."""
        try:
            opened = self._places.open_source(source)
            try:
                return opened, *opened.root()
            except BaseException:
                opened.close()
                raise
        except (EvidenceError, NotFoundError) as error:
            raise InputError(f"{source}: {error}", code=error.code, hint=error.hint) from error

    def check_destination(self, to: str, reference: ImageReference) -> None:
        """Refuse a destination that nothing could be written to, before anything is asked of a network.

        Raises:
            InputError: no such kind of place, or one that cannot be written to. UnavailableError: no daemon.
        """
        if _is_daemon(to):
            _daemon_name(to, reference)
            self._places.daemon()
        else:
            self._places.open_target(to, reference).discard()

    def pull(self, subject: Subject, reference: ImageReference, to: str) -> str:
        """Fetch the digest that was decided on, and say where it is now; ``to`` is "" for the docker daemon.

        Raises:
            InputError: as ``check_destination``. EvidenceError: the registry sends other bytes.
            NotFoundError, RefusedError, UnavailableError: the registry's or the daemon's part.
        """
        if _is_daemon(to):
            return self._pull_into_daemon(subject, reference, to)
        target = self._places.open_target(to, reference)
        try:
            source = RegistrySource(self._registry, subject)
            content, media_type = source.root()
            if not target.takes_index:
                content, media_type = self._one_platform(source, content, media_type)
            parts = parts_of(source, content, media_type)
            self._copy(source, target, parts, f"pulling {reference.familiar}")
        finally:
            target.discard()
        return to

    def _pull_into_daemon(self, subject: Subject, reference: ImageReference, to: str) -> str:
        name = _daemon_name(to, reference)
        daemon = self._places.daemon()
        daemon.pull(reference.repository, subject.digest, self._progress)
        pinned = ImageReference(repository=reference.repository, digest=subject.digest)
        if name is None:
            return pinned.familiar
        daemon.tag(pinned, name)
        return f"{_DAEMON}{name.familiar}"

    def _one_platform(
        self, source: ImageSource, content: bytes, media_type: str
    ) -> tuple[bytes, str]:
        """Choose the image for one platform, also from an index inside an index."""
        for _ in range(_LEVELS):
            document = oci.parse_document(content, media_type)
            if isinstance(document, oci.Manifest):
                return content, media_type
            chosen = document.select(self._platform)
            content, media_type = source.manifest(chosen.digest)
        raise _too_deep()

    def _copy(
        self, source: ImageSource, target: ImageTarget, parts: "Sequence[Part]", text: str
    ) -> None:
        blobs = {blob.digest: blob for part in parts for blob in part.blobs}
        self._progress.begin(text, sum(blob.size for blob in blobs.values()))
        try:

            def transfer(blob: oci.Descriptor) -> None:
                if target.has_blob(blob.digest, blob.size):
                    self._progress.advance(blob.size)
                    return
                content = source.open_blob(blob.digest, blob.size)
                target.put_blob(blob.digest, blob.size, self._counted(content))

            in_parallel(transfer, list(blobs.values()), TRANSFERS)
            for part in parts:
                target.put_manifest(part.digest, part.media_type, part.content)
            target.finish(parts[-1].digest)
        finally:
            self._progress.finish()

    def _counted(self, pieces: "Iterator[bytes]") -> "Iterator[bytes]":
        for piece in pieces:
            self._progress.advance(len(piece))
            yield piece


def _is_daemon(to: str) -> bool:
    return not to or to.startswith(_DAEMON)


def _daemon_name(to: str, reference: ImageReference) -> ImageReference | None:
    """The name that the image gets in the daemon's store; None for one that was asked for by digest alone."""
    if to:
        name = ImageReference.parse(to.removeprefix(_DAEMON)).with_default_tag()
        if name.digest is not None:
            raise InputError(f"{to}: the docker daemon takes a name with a tag, not a digest")
        return name
    return reference.replace(digest=None) if reference.tag else None


def parts_of(source: ImageSource, content: bytes, media_type: str) -> list[Part]:
    """List a root's manifests, what is named before what names it, each once, the root last.

    Raises:
        MalformedError: nested too deeply, too many, or no manifests.
    """
    found: dict[Digest, Part] = {}

    def visit(content: bytes, media_type: str, level: int) -> None:
        document = oci.parse_document(content, media_type)
        blobs: list[oci.Descriptor] = []
        if isinstance(document, oci.Index):
            if level >= _LEVELS:
                raise _too_deep()
            for child in document.manifests:
                if not child.is_manifest:
                    blobs.append(child)
                elif child.digest not in found:
                    visit(*source.manifest(child.digest), level + 1)
        else:
            blobs = [document.config, *document.layers]
        digest = Digest.of(content)
        found[digest] = Part(
            digest=digest,
            media_type=document.media_type,
            content=content,
            blobs=tuple(blob for blob in blobs if not _is_elsewhere(blob)),
        )

    visit(content, media_type, 0)
    return list(found.values())


def _is_elsewhere(blob: oci.Descriptor) -> bool:
    return any(word in blob.media_type for word in _ELSEWHERE)


def _too_deep() -> MalformedError:
    return MalformedError(f"indexes nested deeper than {_LEVELS} levels", code=Code.TOO_LARGE)


class RegistrySource:
    """A subject in a registry, as a source."""

    def __init__(self, registry: FullRegistry, subject: Subject) -> None:
        self._registry, self._subject = registry, subject

    def root(self) -> tuple[bytes, str]:
        return self.manifest(self._subject.digest)

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        return self._registry.manifest(self._subject.repository, digest)

    def open_blob(self, digest: Digest, size: int) -> "Iterator[bytes]":
        return self._registry.open_blob(self._subject.repository, digest, size)

    def close(self) -> None:
        """Nothing is open."""


class _RegistryTarget:
    """A tag in a registry, as a target: manifests go by digest, the last one by tag."""

    takes_index = True

    def __init__(self, registry: RegistryWriter, reference: ImageReference) -> None:
        self._registry, self._tag = registry, reference.tag or ""
        self._repository: Repository = reference.repository
        self._last: tuple[Digest, str, bytes] | None = None

    def has_blob(self, digest: Digest, size: int) -> bool:
        del size  # a registry holds blobs by digest
        return self._registry.has_blob(self._repository, digest)

    def put_blob(self, digest: Digest, size: int, content: "Iterator[bytes]") -> None:
        self._registry.put_blob(self._repository, digest, size, content)

    def put_manifest(self, digest: Digest, media_type: str, content: bytes) -> None:
        if self._last is not None:
            before, its_type, its_content = self._last
            self._put(str(before), before, its_type, its_content)
        self._last = (digest, media_type, content)

    def finish(self, root: Digest) -> None:
        if self._last is None or self._last[0] != root:
            raise InputError("the last manifest written is not the image's own")
        self._put(self._tag, *self._last)

    def _put(self, name: str, digest: Digest, media_type: str, content: bytes) -> None:
        said = self._registry.put_manifest(self._repository, name, media_type, content)
        if said != digest:
            raise EvidenceError(
                f"the registry took {digest} and says that it is {said}", code=Code.CHECKSUM
            )

    def discard(self) -> None:
        """Blobs without a manifest are the registry's to clean up."""


def in_parallel(
    work: "Callable[[oci.Descriptor], None]", items: "list[oci.Descriptor]", threads: int
) -> None:
    """Do some work for each item, a few at once; after the first failure nothing new is begun, and it is raised."""
    waiting = list(reversed(items))
    failures: list[BaseException] = []
    lock = threading.Lock()

    def next_item() -> oci.Descriptor | None:
        with lock:
            return waiting.pop() if waiting and not failures else None

    def serve() -> None:
        while (item := next_item()) is not None:
            try:
                work(item)
            except BaseException as failure:  # noqa: BLE001 - raised again below, in the caller's thread
                with lock:
                    failures.append(failure)

    helpers = [threading.Thread(target=serve) for _ in range(min(threads, len(items)) - 1)]
    for helper in helpers:
        helper.start()
    try:
        serve()
    finally:
        for helper in helpers:
            helper.join()
    if failures:
        raise failures[0]
