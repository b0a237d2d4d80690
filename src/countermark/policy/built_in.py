"""The layer that holds where there is no policy file."""

from countermark.core.errors import ConfigError
from countermark.core.signer import DctSigner
from countermark.policy.model import Layer, Rule, Vouched
from countermark.policy.pattern import Pattern

BUILT_IN = "content-trust"
MOVED_TAG = ("deny", "useSigned")


def built_in(*, moved_tag: str = "deny") -> Layer:
    """The layer that holds where there is no file: every image signed under content trust, as docker has it.

    ``moved_tag`` is COUNTERMARK_MOVED_TAG's, which counts nowhere else.

    Raises:
        ConfigError: ``moved_tag`` is no such word.
    """
    if moved_tag not in MOVED_TAG:
        raise ConfigError(
            f"COUNTERMARK_MOVED_TAG: {moved_tag[:80]!r} is none of: {', '.join(MOVED_TAG)}"
        )
    signer = DctSigner(name=BUILT_IN, first_use=True)
    every = Rule(
        images=Pattern(parts=("**",)), effect="require", requirement=Vouched(signer=signer)
    )
    return Layer(
        name=BUILT_IN, rules=(every,), moved_tag=moved_tag, accept_stale=True, signers=(signer,)
    )
