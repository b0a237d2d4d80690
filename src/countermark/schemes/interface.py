"""The one small interface behind which every scheme plugs in."""

from countermark.core.claim import Finding
from countermark.core.digest import Digest
from countermark.core.light import Sequence, datetime
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.signer import TrustedSigner
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Verifier(Protocol):
    """Answers one question, which of these signers vouch for this image, and never whether that is enough."""

    def findings(
        self, subject: Subject, signers: Sequence[TrustedSigner], now: datetime
    ) -> tuple[Finding, ...]:
        """Ask about all of a scheme's signers that a rule names, so that evidence is fetched once.

        Signers of other schemes are left alone.

        Raises:
            UnavailableError: the signers could not be asked about; the engine makes silences of it.
        """
        ...


class TagAuthority(Protocol):
    """A verifier that also says which digest a tag means."""

    def digest_of(
        self, reference: ImageReference, signers: Sequence[TrustedSigner], now: datetime
    ) -> Digest:
        """Say which digest these signers vouch for under a tag.

        Raises:
            NotFoundError: under none of them the tag is signed.
            EvidenceError, UnavailableError: as their evidence has it.
        """
        ...


class VouchedTag(Value):
    """A tag that is vouched for: the digest it means, and by whom."""

    tag: str
    digest: Digest
    signers: tuple[str, ...] = ()


class TagList(Protocol):
    """Lists everything that a scheme vouches for under tags."""

    def tags(self, repository: Repository, now: datetime) -> Sequence[VouchedTag]:
        """List a repository's tags.

        Raises:
            EvidenceError: ``unsigned``, nobody vouches for any; another code, what is there is not to be believed.
            UnavailableError, RefusedError: who would know does not answer.
        """
        ...


class Statement(Value):
    """What a signer is asked to vouch for: a subject, with its size, and annotations."""

    subject: Subject
    annotations: tuple[tuple[str, str], ...] = ()


class Receipt(Value):
    """Where a new signature now lies, and who made it; ``texts`` says it to people, line by line."""

    scheme: str
    location: str
    signatories: tuple[str, ...]
    texts: tuple[str, ...] = ()


class Signer(Protocol):
    """Vouches for an image and publishes the proof."""

    def sign(self, statement: Statement, now: datetime) -> Receipt:
        """Sign and publish.

        Raises:
            KeyAccessError: a key is missing or does not open. RefusedError, UnavailableError: the server's part.
        """
        ...
