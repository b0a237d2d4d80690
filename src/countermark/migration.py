"""Carry trust over: what one scheme vouches for under tags is signed, by digest, with another.

The digest that was vouched for is signed, whatever the tag means by now; who vouched for it before goes into the
annotations. Each image is done by itself and what is there is not made again, so that an interrupted run goes on
where it stopped, and a run that finds nothing to do is the report that all is done.
"""

from countermark.core.digest import Digest
from countermark.core.errors import (
    EvidenceError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.ports import Registry
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.value import Value
from countermark.schemes.interface import Signer, Statement, TagList, VouchedTag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from typing import Protocol
else:
    Protocol = object

SIGNED, PRESENT, MISSING, FAILED = "signed", "present", "missing", "failed"
_PREFIX = "countermark.dct"  # of annotations


class ResumableSigner(Signer, Protocol):
    """A signer that knows its own work again."""

    def has_signed(self, subject: Subject, now: "datetime") -> bool:
        """Say whether its signature lies beside an image already."""
        ...


class Carried(Value):
    """What became of one image, or of a repository about which nothing could be found out.

    Attributes:
        repository: where it is.
        tags: the tags under which it was vouched for; none for a whole repository.
        digest: which image; None for a whole repository.
        state: ``signed`` now; ``present`` before; ``missing``: not signed yet, and only a report was wanted, or the
            registry has no such image any more; ``failed``.
        reason: why it is missing or failed.
        location: where the new signature lies.
        moved: tags that mean another image by now; what they were vouched for with was signed all the same.
    """

    repository: str
    state: str
    tags: tuple[str, ...] = ()
    digest: Digest | None = None
    reason: str = ""
    location: str = ""
    moved: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether nothing is missing."""
        return self.state in (SIGNED, PRESENT)


class Migration:
    """Carries trust over, repository by repository."""

    def __init__(
        self,
        before: TagList,
        registry: Registry,
        signer: ResumableSigner,
        clock: "Callable[[], datetime]",
    ) -> None:
        """``before`` says what is vouched for, ``signer`` signs it anew; the clock is read for each image."""
        self._before, self._registry, self._signer, self._clock = before, registry, signer, clock

    def carry(
        self, repositories: "Sequence[Repository]", *, only_report: bool = False
    ) -> "Iterator[Carried]":
        """Sign what is vouched for and not signed yet, and tell of each image as it is done.

        Raises:
            KeyAccessError: the signer cannot sign at all. InputError: nor with these services.
        """
        for repository in repositories:
            try:
                tags = self._before.tags(repository, self._clock())
            except (EvidenceError, UnavailableError, RefusedError) as error:
                yield Carried(repository=repository.name, state=FAILED, reason=str(error))
                continue
            for digest, found in _by_digest(tags).items():
                yield self._carried(repository, digest, found, only_report=only_report)

    def _carried(
        self,
        repository: Repository,
        digest: Digest,
        tags: "list[VouchedTag]",
        *,
        only_report: bool,
    ) -> Carried:
        """Do one image, and say what became of it."""
        found = Carried(
            repository=repository.name,
            state=MISSING,
            tags=tuple(each.tag for each in tags),
            digest=digest,
        )
        try:
            reference = ImageReference(repository=repository, digest=digest)
            subject = self._registry.resolve(reference)
            found = found.replace(moved=self._moved(repository, digest, tags))
            if self._signer.has_signed(subject, self._clock()):
                return found.replace(state=PRESENT)
            if only_report:
                return found.replace(reason="it is not signed yet")
            statement = Statement(subject=subject, annotations=_annotations(tags))
            receipt = self._signer.sign(statement, self._clock())
        except NotFoundError:
            return found.replace(reason="the registry has no such image any more")
        except (EvidenceError, UnavailableError, RefusedError) as error:
            return found.replace(state=FAILED, reason=str(error))
        return found.replace(state=SIGNED, location=receipt.location)

    def _moved(
        self, repository: Repository, digest: Digest, tags: "list[VouchedTag]"
    ) -> tuple[str, ...]:
        """Which of the tags mean another image now, or none."""
        moved = []
        for each in tags:
            try:
                now = self._registry.resolve(ImageReference(repository=repository, tag=each.tag))
            except NotFoundError:
                moved.append(each.tag)
                continue
            if now.digest != digest:
                moved.append(each.tag)
        return tuple(moved)


def _by_digest(tags: "Sequence[VouchedTag]") -> "dict[Digest, list[VouchedTag]]":
    """An image is signed once, however many tags it has."""
    found: dict[Digest, list[VouchedTag]] = {}
    for each in sorted(tags, key=lambda tag: tag.tag):
        found.setdefault(each.digest, []).append(each)
    return found


def _annotations(tags: "list[VouchedTag]") -> tuple[tuple[str, str], ...]:
    """Say who vouched for it before, and under which tags."""
    signers = sorted({signer for each in tags for signer in each.signers})
    return (
        (f"{_PREFIX}.signers", ",".join(signers)),
        (f"{_PREFIX}.tags", ",".join(each.tag for each in tags)),
    )
