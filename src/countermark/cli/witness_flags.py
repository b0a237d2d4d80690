"""``--witness KEY…`` and ``--witnesses N``: whose cosignature a log's checkpoint must have, as options name them."""

from countermark.core.errors import EvidenceError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.proofs.cosignatures import WitnessKey


def witnesses(given: "Sequence[str]", needed: int | None) -> "tuple[tuple[WitnessKey, ...], int]":
    """Read the witnesses' verifier keys, and how many of them have to have cosigned; None means all.

    Raises:
        InputError: one is no key, or stands there twice; more are demanded than are named.
    """
    from countermark.proofs.cosignatures import WitnessKey  # noqa: PLC0415 - few demand them

    try:
        found = tuple(WitnessKey.parse(text) for text in given)
    except EvidenceError as error:
        raise InputError(f"--witness: {error}") from None
    if len({each.key for each in found}) != len(found):
        raise InputError("a witness is named twice")
    count = len(found) if needed is None else needed
    if not 0 <= count <= len(found):
        raise InputError(f"--witnesses {count} of {len(found)}", hint="name them with --witness")
    return found, count
