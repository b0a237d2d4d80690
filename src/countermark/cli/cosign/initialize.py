"""``cosign initialize``: fetch a Sigstore's trusted root and signing config, and begin with it from now on."""

from countermark.cli.cosign.words import CosignError
from countermark.core.errors import NotFoundError
from countermark.core.light import sha256, sha512

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

_NO_SUM = (
    "WARNING: Fetching initial root from URL without providing its checksum is deprecated and will be "
    "disallowed in a future Cosign release. Please provide the initial root checksum via the "
    "--root-checksum argument."
)
_NO_CONFIG = (
    "WARNING: Could not fetch signing_config.json from the TUF mirror (encountered error: {}). It is "
    "recommended to use a signing config file rather than provide service URLs when signing."
)


def initialize(words: "Words", program: "Program", out: "Output") -> int:
    """Fetch both files and keep them; a mirror without a trusted root is refused (cosign takes older targets)."""
    place, checksum = words.text("root"), words.text("root-checksum")
    root = b""
    if place:
        if not checksum and place.startswith(("http://", "https://")):
            out.foreign_error(_NO_SUM)
        root = program.cosign.given(place)
        check_sum(root, place, checksum)
    elif checksum:
        raise CosignError("--root-checksum is of the file that --root names")
    source = program.cosign.sigstore(words.text("mirror"), root)
    source.initialize()
    try:
        source.signing_config()
    except NotFoundError as error:
        out.foreign_error(_NO_CONFIG.format(error))
    source.trusted_root()
    return 0


def check_sum(content: bytes, place: str, checksum: str) -> None:
    """Compare a file with ``HEX``, ``sha256:HEX`` or ``sha512:HEX``, in any case of letters; "" is no comparison.

    Raises:
        CosignError: it is another, or no checksum.
    """
    if not checksum:
        return
    algorithm, colon, wanted = checksum.rpartition(":")
    if ":" in algorithm:
        raise CosignError(
            f"wrong checksum input format, must have at most 1 colon: {checksum[:200]}"
        )
    functions = {"sha256": sha256, "sha512": sha512}
    if colon and algorithm not in functions:
        raise CosignError(f"unsupported checksum algorithm: {algorithm[:80]}")
    found = functions[algorithm or "sha256"](content).hexdigest()
    if found != wanted.lower():
        raise CosignError(
            f"incorrect checksum for file {place}: expected {wanted[:200]} but got {found}"
        )
