"""Each signature beside an image by itself: what it proves, or why it proves nothing; for those who show them all."""

from countermark.core import limits
from countermark.core.errors import EvidenceError
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.schemes.cosign import attestation, check, find
from countermark.schemes.cosign.check import Checked, Wanted
from countermark.schemes.cosign.find import SignatureStore, Trouble
from countermark.schemes.cosign.material import Material


class Examined(Value):
    """One signature: what it proves, or why it proves nothing (exactly one of the two)."""

    material: Material
    proven: Checked | None = None
    objection: EvidenceError | None = None


class Examination(Value):
    """Everything beside an image: signatures one by one, and what could not be read."""

    signatures: tuple[Examined, ...]
    troubles: tuple[Trouble, ...]

    def older(self) -> "Examination":
        """The signatures alone that lie under tags, as cosign kept them before bundles."""
        kept = tuple(each for each in self.signatures if is_older(each.material))
        return self.replace(signatures=kept)

    @property
    def good(self) -> tuple[Examined, ...]:
        """Those that prove what was wanted."""
        return tuple(each for each in self.signatures if each.proven is not None)

    @property
    def objections(self) -> "tuple[tuple[Material, EvidenceError], ...]":
        """Those that do not, and why."""
        return tuple(
            (each.material, each.objection)
            for each in self.signatures
            if each.objection is not None
        )


def is_older(material: Material) -> bool:
    """Say whether a signature lies under a tag, as cosign kept them before bundles."""
    return "@" not in material.place


def examine(
    store: SignatureStore,
    repository: Repository,
    wanted: Wanted,
    at_once: int = limits.SIGNATURE_CONNECTIONS,
) -> Examination:
    """Look at everything that lies in ``repository`` about the wanted subject; no error stops the rest."""
    suffixes = attestation.suffixes((wanted.signer,))
    found = find.signatures(store, repository, wanted.image.digest, suffixes, at_once)
    signatures = []
    for material in found.materials:
        try:
            signatures.append(Examined(material=material, proven=check.check(material, wanted)))
        except EvidenceError as error:
            signatures.append(Examined(material=material, objection=error))
    return Examination(signatures=tuple(signatures), troubles=found.troubles)
