"""A registry in dictionaries that has the referrers API, takes images and what lies beside them, and can be raced."""

import json
from collections.abc import Callable, Iterator, Sequence

from countermark.core.digest import Digest
from countermark.core.errors import NotFoundError, RefusedError
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import oci
from fake_sigstore import OneByOne

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'


class MemoryImages(OneByOne):
    """Images in dictionaries (ports ``SignatureRegistry``, ``MirrorRegistry``, ``CleanedRegistry``).

    Attributes:
        puts: what was put, in order: a tag or digest, or ``blob`` and a digest.
        before: called with its name before each manifest is put; may put something else meanwhile, or raise.
        keeps: whether manifests may be deleted; tags never can, as in docker-registry.
        mounts: whether blobs can be had from other repositories.
        api: whether it lists referrers itself; else clients keep a list under a tag, as the real one does for it.
        conditions: whether a tag is replaced only if it means what it should.
    """

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, Digest], bytes] = {}
        self.manifests: dict[tuple[str, Digest], tuple[bytes, str]] = {}
        self.tagged_: dict[tuple[str, str], Digest] = {}
        self.puts: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.keeps = False
        self.mounts = True
        self.conditions = self.api = True

    # Reading ----------------------------------------------------------------------------------------

    def resolve(self, reference: ImageReference) -> Subject:
        where = reference.repository
        digest = reference.digest or self.tagged_.get((where.name, str(reference.tag)))
        if digest is None or (where.name, digest) not in self.manifests:
            raise NotFoundError(f"no such image: {reference}", status=404)
        content, media_type = self.manifests[where.name, digest]
        return Subject(
            repository=where,
            digest=digest,
            tag=reference.tag,
            size=len(content),
            media_type=media_type,
        )

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        try:
            return self.manifests[repository.name, digest]
        except KeyError:
            raise NotFoundError(f"no such manifest: {digest}", status=404) from None

    def tagged(self, repository: Repository, tag: str) -> tuple[bytes, str]:
        try:
            return self.manifest(repository, self.tagged_[repository.name, tag])
        except KeyError:
            raise NotFoundError(f"no such tag: {tag}", status=404) from None

    def referrers(self, repository: Repository, subject: Digest) -> Sequence[oci.Descriptor]:
        if not self.api:
            try:
                content, media_type = self.tagged(repository, oci.fallback_tag(subject))
            except NotFoundError:
                return []
            return oci.parse_index(content, media_type).manifests
        found = []
        for (name, _), (content, media_type) in self.manifests.items():
            named = oci.referrer_of(content, media_type) if name == repository.name else None
            if named is not None and named[0] == subject:
                found.append(named[1])
        return found

    def blob(self, repository: Repository, digest: Digest, size: int) -> bytes:
        try:
            content = self.blobs[repository.name, digest]
        except KeyError:
            raise NotFoundError(f"no such blob: {digest}", status=404) from None
        assert len(content) == size
        return content

    def open_blob(self, repository: Repository, digest: Digest, size: int) -> Iterator[bytes]:
        yield self.blob(repository, digest, size)

    def tags_beginning(self, repository: Repository, prefix: str) -> Sequence[str]:
        return sorted(
            tag for name, tag in self.tagged_ if name == repository.name and tag.startswith(prefix)
        )

    # Writing ----------------------------------------------------------------------------------------

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        return (repository.name, digest) in self.blobs

    def mount_blob(self, repository: Repository, digest: Digest, source: Repository) -> bool:
        if self.mounts and self.has_blob(source, digest):
            self.blobs[repository.name, digest] = self.blobs[source.name, digest]
            return True
        return False

    def put_blob(
        self, repository: Repository, digest: Digest, size: int, content: Iterator[bytes]
    ) -> None:
        whole = b"".join(content)
        assert len(whole) == size
        assert digest.matches(whole)
        self.puts.append(f"blob {digest}")
        self.blobs[repository.name, digest] = whole

    def put_manifest(
        self, repository: Repository, name: str, media_type: str, content: bytes
    ) -> Digest:
        self.before(name)
        for child in oci.children(content, media_type):
            known = self.manifests if child.is_manifest else self.blobs
            assert (repository.name, child.digest) in known, f"{name} names {child.digest}"
        digest = Digest.of(content)
        self.puts.append(name)
        self.manifests[repository.name, digest] = content, media_type
        if ":" not in name:
            self.tagged_[repository.name, name] = digest
        named = oci.referrer_of(content, media_type)
        if named is not None and not self.api:
            self._list(repository, *named)
        return digest

    def _list(self, repository: Repository, subject: Digest, entry: oci.Descriptor) -> None:
        self.tagged_[repository.name, oci.own_tag(subject, entry.digest)] = entry.digest
        others = [e for e in self.referrers(repository, subject) if e.digest != entry.digest]
        content = oci.encode_index([*others, entry])
        self.manifests[repository.name, Digest.of(content)] = content, oci.OCI_INDEX
        self.tagged_[repository.name, oci.fallback_tag(subject)] = Digest.of(content)

    def replace_tag(
        self,
        repository: Repository,
        tag: str,
        media_type: str,
        content: bytes,
        before: Digest | None,
    ) -> bool:
        self.before(tag)
        now = self.tagged_.get((repository.name, tag))
        if self.conditions and before is not None and now != before:
            return False
        hook, self.before = self.before, lambda _: None
        try:
            self.put_manifest(repository, tag, media_type, content)
        finally:
            self.before = hook
        return True

    def delete_manifest(self, repository: Repository, name: str) -> None:
        if self.keeps or ":" not in name:
            raise RefusedError("unsupported", status=405)
        if self.manifests.pop((repository.name, Digest.parse(name)), None) is None:
            raise NotFoundError("no such manifest", status=404)
        for key in [k for k, digest in self.tagged_.items() if str(digest) == name]:
            if key[0] == repository.name:
                del self.tagged_[key]

    # Images -----------------------------------------------------------------------------------------

    def push(self, text: str, reference: str) -> Subject:
        """Put a small image there; what was put is not noted."""
        where = ImageReference.parse(reference)
        parts = []
        for content, kind in (
            (CONFIG, "application/vnd.oci.image.config.v1+json"),
            (text.encode(), "application/vnd.oci.image.layer.v1.tar"),
        ):
            self.blobs[where.repository.name, Digest.of(content)] = content
            parts.append(
                {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}
            )
        manifest = {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": parts[0],
            "layers": parts[1:],
        }
        return self._named(where, oci.OCI_MANIFEST, json.dumps(manifest).encode())

    def push_index(self, reference: str, **children: str) -> Subject:
        """Put an index there, with an image of this text for each architecture."""
        where = ImageReference.parse(reference)
        entries = []
        for architecture, text in children.items():
            child = self.push(text, f"{where.repository.name}:{architecture}")
            entries.append(
                {
                    "mediaType": child.media_type,
                    "digest": str(child.digest),
                    "size": child.size,
                    "platform": {"os": "linux", "architecture": architecture},
                }
            )
        index = {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": entries}
        return self._named(where, oci.OCI_INDEX, json.dumps(index).encode())

    def _named(self, where: ImageReference, media_type: str, content: bytes) -> Subject:
        name = where.repository.name
        self.manifests[name, Digest.of(content)] = content, media_type
        if where.tag is not None:
            self.tagged_[name, where.tag] = Digest.of(content)
        return self.resolve(where.replace(digest=Digest.of(content)))
