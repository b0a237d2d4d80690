"""Take an image elsewhere with all that vouches for it: to another registry, into a folder, and back.

What lies beside an image (signatures, attestations, SBOMs, whatever refers to it, and what lies beside those) goes
along, in whichever way it lies there and can lie here. The tag moves last, so that nobody sees the image before its
signatures; and then all of it is looked for at the far end.
"""

from countermark.core.digest import Digest
from countermark.core.errors import InputError, NotFoundError, UnavailableError
from countermark.core.ports import ImageSource, Progress
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.value import Value
from countermark.formats import oci
from countermark.images import RegistrySource
from countermark.mirror import blobs, folders
from countermark.mirror.blobs import FolderBlobs, RegistryBlobs
from countermark.mirror.look import LEVELS, BesideThat, Choice, Load, look, parts_beside
from countermark.mirror.ports import MirrorRegistry, SavedFolder, SavingFolder
from countermark.schemes.cosign import attach, beside
from countermark.schemes.cosign.beside import REFERRER, Attached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Taken(Value):
    """What was taken where, for people: ``names`` are those of the image and of all beside it, where they are now."""

    digest: Digest
    names: tuple[str, ...]


class Mirror:
    """Takes images elsewhere."""

    def __init__(
        self,
        registry: MirrorRegistry,
        progress: Progress,
        place_of: "Callable[[Repository], Repository]" = lambda repository: repository,
    ) -> None:
        """``place_of`` says where an image's signatures lie."""
        self._registry, self._progress, self._place_of = registry, progress, place_of

    # From registry to registry --------------------------------------------------------------------------

    def copy(self, source: Subject, to: ImageReference, choice: Choice) -> Taken:
        """Copy an image and what lies beside it; ``to`` has a tag, or no digest but the image's own.

        Raises:
            InputError: the destination has another image, and may not be overwritten.
            NotFoundError, RefusedError, UnavailableError, EvidenceError: the registries' part.
        """
        subject = self._chosen(source, choice)
        place = self._place_of(source.repository)
        origin = RegistrySource(self._registry, subject)
        side = RegistrySource(self._registry, subject.replace(repository=place))

        def attached(digest: Digest) -> "Sequence[Attached]":
            return beside.listed(self._registry, place, digest)

        load = look(origin, attached, choice)
        if choice.only:
            to = to.replace(tag=None, digest=to.digest or load.root.digest)
        self._check_destination(to, load.root.digest, choice)
        return self._bring(load, origin, side, to, (source.repository, place))

    def _chosen(self, source: Subject, choice: Choice) -> Subject:
        """The image, or that for one platform."""
        content, media_type = self._registry.manifest(source.repository, source.digest)
        for _ in range(LEVELS):
            document = oci.parse_document(content, media_type)
            if choice.platform is None or isinstance(document, oci.Manifest):
                break
            child = document.select(choice.platform)
            source = source.replace(
                digest=child.digest, size=child.size, media_type=child.media_type
            )
            content, media_type = self._registry.manifest(source.repository, source.digest)
        return source

    def _check_destination(self, to: ImageReference, root: Digest, choice: Choice) -> None:
        if to.digest not in (None, root):
            raise InputError(f"{to.familiar} is the name of another image than {root}")
        if to.tag is None or choice.overwrite:
            return
        try:
            there = self._registry.resolve(to.replace(digest=None)).digest
        except NotFoundError:
            return
        if there != root:
            raise InputError(
                f"{to.familiar} means another image there: {there}", hint="--force moves the tag"
            )

    # Into a folder, and back ------------------------------------------------------------------------------

    def save(self, source: Subject, folder: SavingFolder) -> Taken:
        """Save an image and what lies beside it, as ``cosign save`` does, and with what refers to it in the index.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: the registry's part. StorageError.
        """
        place = self._place_of(source.repository)
        origin = RegistrySource(self._registry, source)
        side = RegistrySource(self._registry, source.replace(repository=place))

        def attached(digest: Digest) -> "Sequence[Attached]":
            return beside.listed(self._registry, place, digest)

        load = look(origin, attached, Choice())
        try:
            blobs.send(load, origin, side, FolderBlobs(folder), self._progress)
            for part in (*load.parts, *(p for b in load.beside for p in parts_beside(b, side))):
                folder.put_manifest(part.digest, part.media_type, part.content)
            entries = list(folders.entries(load, source.tag or ""))
            folder.finish_listed(entries)
        finally:
            folder.discard()
        names = (str(load.root.digest), *(each.attached.name for each in load.beside))
        return Taken(digest=load.root.digest, names=names)

    def load(self, folder: SavedFolder, to: ImageReference) -> Taken:
        """Bring an image from a folder to a registry, with what lies beside it there.

        Raises:
            InputError: the folder holds no image that was saved. Else as ``copy``.
        """
        saved = folders.Saved(folder)
        origin = saved.image()
        load = look(origin, saved.attached, Choice())
        return self._bring(load, origin, origin, to, ())

    # Shared -----------------------------------------------------------------------------------------------

    def _bring(
        self,
        load: Load,
        origin: ImageSource,
        side: ImageSource,
        to: ImageReference,
        mounts: "tuple[Repository, ...]",
    ) -> Taken:
        """Put everything into a registry, the tag last, and look whether it is all there."""
        place = self._place_of(to.repository)
        target = RegistryBlobs(self._registry, to.repository, place, mounts)
        blobs.send(load, origin, side, target, self._progress)
        for part in load.parts:
            self._registry.put_manifest(
                to.repository, str(part.digest), part.media_type, part.content
            )
        for each in load.beside:
            self._attach(place, each, side)
        root = load.root
        if to.tag is not None:
            self._registry.put_manifest(to.repository, to.tag, root.media_type, root.content)
        self._check_arrived(load, to, place)
        names = [to.replace(digest=None).familiar if to.tag else f"{to.repository}@{root.digest}"]
        for each in load.beside:
            mark = "@" if each.attached.kind == REFERRER else ":"
            names.append(f"{place.name}{mark}{each.attached.name}")
        return Taken(digest=root.digest, names=tuple(names))

    def _attach(self, place: Repository, each: BesideThat, side: ImageSource) -> None:
        found = each.attached
        if found.kind in ("sig", "att"):
            attach.merge_legacy(self._registry, place, found.name, found.content, found.media_type)
            return
        for part in parts_beside(each, side)[:-1]:
            self._registry.put_manifest(place, str(part.digest), part.media_type, part.content)
        self._registry.put_manifest(place, found.name, found.media_type, found.content)

    def _check_arrived(self, load: Load, to: ImageReference, place: Repository) -> None:
        """Look for everything at the far end.

        Raises:
            UnavailableError: something is not there.
        """
        missing = []
        wanted = to.replace(digest=load.root.digest) if to.tag is None else to.replace(digest=None)
        if self._registry.resolve(wanted).digest != load.root.digest:
            missing.append(wanted.familiar)
        for subject in dict.fromkeys(each.subject for each in load.beside):
            kinds = {each.attached.kind for each in load.beside if each.subject == subject}
            there = beside.listed(self._registry, place, subject, tuple(kinds))
            for each in load.beside:
                if each.subject == subject and not _is_among(each.attached, there):
                    missing.append(each.attached.name)
        if missing:
            raise UnavailableError(
                f"{to.familiar}: copied, and not there afterwards: {', '.join(missing)[:1000]}",
                hint="try again; others may be writing there",
            )


def _is_among(wanted: Attached, there: "Sequence[Attached]") -> bool:
    """Say whether something arrived: a referrer as it is, of a tag's layers each."""
    for each in there:
        if each.kind == wanted.kind and each.name == wanted.name:
            return wanted.kind == REFERRER or all(layer in each.layers for layer in wanted.layers)
    return False
