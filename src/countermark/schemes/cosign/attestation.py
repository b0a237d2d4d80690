"""Cosign: what was stated about a digest, and by whom.

An attestation goes through the steps of a signature (``check.py``), which compare its predicate type strictly; what
the policy demands of the predicate itself is judged last, on a statement that is proven to be the signer's.
"""

from countermark.core.errors import Code, EvidenceError
from countermark.core.signer import CosignSigner
from countermark.schemes.cosign.check import Checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.ports_sigstore import Conditions


def suffixes(signers: "tuple[CosignSigner, ...]") -> tuple[str, ...]:
    """Say under which tags what these signers may have made lies: ``sig``, ``att``."""
    kinds = {"att" if signer.predicate else "sig" for signer in signers}
    return tuple(sorted(kinds))


def check_condition(
    checked: Checked, signer: CosignSigner, conditions: "Conditions | None"
) -> None:
    """10. Condition: what is stated fulfils the policy's condition.

    Raises:
        EvidenceError: ``condition``: it does not, or nobody here can say.
        ConfigError: the condition cannot be read. UnavailableError: it cannot be judged now.
    """
    if not signer.condition:
        return
    if conditions is None:
        raise EvidenceError("nothing here judges conditions", code=Code.CONDITION)
    objection = conditions.objection(signer.condition, checked.stated.content)
    if objection:
        raise EvidenceError(
            f"the condition {signer.condition!r} is not fulfilled: {objection}",
            code=Code.CONDITION,
        )
