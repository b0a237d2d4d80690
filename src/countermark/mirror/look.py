"""Look round: an image with all of its manifests, what lies beside it, and what lies beside that."""

from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.ports import ImageSource
from countermark.core.value import Value
from countermark.formats import oci
from countermark.formats.payloads import SIGN_PREDICATE
from countermark.images import Part, parts_of
from countermark.schemes.cosign.beside import REFERRER, Attached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Look = Callable[[Digest], Sequence[Attached]]

MOST = 10_000  # things beside one image, those beside them included
LEVELS = 4  # signatures of signatures of signatures; indexes in indexes
ONLY = ("sig", "att", "sbom")  # cosign's --only


class Choice(Value):
    """What goes along.

    Attributes:
        only: some of ``ONLY``, and then no tag is moved (cosign); empty for everything that lies beside the image.
        platform: of an index the image for one platform, instead of all.
        overwrite: a tag that means another image there may be moved.
    """

    only: tuple[str, ...] = ()
    platform: oci.Platform | None = None
    overwrite: bool = False

    def _check(self) -> None:
        for kind in self.only:
            if kind not in ONLY:
                raise InputError(f"unsupported value for --only: {kind[:40]}")

    def takes(self, found: Attached) -> bool:
        """Say whether something goes along."""
        if not self.only:
            return True
        if found.kind != REFERRER:
            return found.kind in self.only
        if not found.is_bundle:
            return False
        return ("sig" if found.predicate_type == SIGN_PREDICATE else "att") in self.only


class BesideThat(Value):
    """Something that lies beside a manifest."""

    subject: Digest
    attached: Attached


class Load(Value):
    """All that is taken: the image's manifests, the root last, and what lies beside them."""

    parts: tuple[Part, ...]
    beside: tuple[BesideThat, ...]

    @property
    def root(self) -> Part:
        """The image's own manifest or index."""
        return self.parts[-1]


def look(origin: ImageSource, attached: "Look", choice: Choice) -> Load:
    """Find everything that goes along; ``attached`` says what lies beside a manifest.

    Raises:
        EvidenceError: it is nested too deeply, or there is too much of it. Whatever the source raises.
    """
    parts = parts_of(origin, *origin.root())
    found: list[BesideThat] = []
    seen: set[tuple[Digest, str]] = set()
    waiting = [(part.digest, 0) for part in parts]
    while waiting:
        subject, level = waiting.pop(0)
        for each in attached(subject):
            if (subject, each.name) in seen or not choice.takes(each):
                continue
            seen.add((subject, each.name))
            found.append(BesideThat(subject=subject, attached=each))
            if level + 1 < LEVELS:
                waiting.append((each.digest, level + 1))
        if len(found) > MOST:
            raise MalformedError(
                f"more than {MOST} things lie beside the image", code=Code.TOO_LARGE
            )
    return Load(parts=tuple(parts), beside=tuple(found))


def parts_beside(each: BesideThat, side: ImageSource) -> list[Part]:
    """The manifests of something that lies beside the image: one, or an index's.

    Raises:
        EvidenceError: as ``look``.
    """
    return parts_of(side, each.attached.content, each.attached.media_type)
