"""What is believed besides a key: a trusted root, or the single certificates and keys that are named.

The flags are those that came before trusted roots, and still count for signatures of their time; the variables are
cosign's for private instances (specs: cosign, 1.4).
"""

from countermark.cli.cosign.words import CosignError
from countermark.core.errors import CountermarkError, InputError
from countermark.formats.trusted_root import Authority, Instance, TrustedRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.proofs.x509 import Certificate

    T = TypeVar("T")

_VARIABLES = (
    "SIGSTORE_ROOT_FILE",
    "SIGSTORE_REKOR_PUBLIC_KEY",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
    "SIGSTORE_TSA_CERTIFICATE_FILE",
)
FLAGS = ("certificate-chain", "ca-roots", "ca-intermediates", "timestamp-certificate-chain")


def read(words: "Words", program: "Program") -> TrustedRoot:
    """Read what is to be believed.

    Raises:
        CosignError: a file is missing or wrong. InputError: nothing is named, and nothing else is to be had.
    """
    single = _Single(words, program).read()
    if words.text("trusted-root") or single is None:
        found = program.cosign.trusted_root(words.text("trusted-root"))
    else:
        found = TrustedRoot()
    if single is None:
        return found
    return TrustedRoot(
        logs=found.logs + single.logs,
        authorities=found.authorities + single.authorities,
        ct_logs=found.ct_logs + single.ct_logs,
        timestamp_authorities=found.timestamp_authorities + single.timestamp_authorities,
    )


class _Single:
    """Certificates and keys that are named one by one."""

    def __init__(self, words: "Words", program: "Program") -> None:
        self._words, self._program = words, program

    def read(self) -> TrustedRoot | None:
        """Read all of them; None where none is named."""
        given = [name for name in FLAGS if self._words.text(name)]
        named = [name for name in _VARIABLES if self._program.environment.get(name)]
        if not given and not named:
            return None
        if "ca-intermediates" in given and "ca-roots" not in given:
            raise CosignError("--ca-intermediates needs --ca-roots")
        return TrustedRoot(
            logs=self._logs("SIGSTORE_REKOR_PUBLIC_KEY"),
            authorities=self._authorities(),
            ct_logs=self._logs("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"),
            timestamp_authorities=self._timestamp_authorities(),
        )

    def _authorities(self) -> tuple[Authority, ...]:
        """Take authorities: the last of a chain, each of the roots, and of the variable what signs itself."""
        found = []
        chain = self._certificates(self._words.text("certificate-chain"))
        if chain:
            found.append(_authority(chain))
        between = self._certificates(self._words.text("ca-intermediates"))
        found += [
            _authority((*between, root))
            for root in self._certificates(self._words.text("ca-roots"))
        ]
        mixed = self._certificates(self._program.environment.get("SIGSTORE_ROOT_FILE", ""))
        between = tuple(each for each in mixed if each.subject != each.issuer)
        found += [_authority((*between, r)) for r in mixed if r.subject == r.issuer]
        return tuple(found)

    def _timestamp_authorities(self) -> tuple[Authority, ...]:
        places = (
            self._words.text("timestamp-certificate-chain"),
            self._program.environment.get("SIGSTORE_TSA_CERTIFICATE_FILE", ""),
        )
        chains = [self._certificates(place) for place in places if place]
        return tuple(_authority(chain) for chain in chains)

    def _certificates(self, place: str) -> "tuple[Certificate, ...]":
        if not place:
            return ()
        from countermark.proofs import x509  # noqa: PLC0415 - where there are some

        return self._read(place, x509.parse_pem)

    def _logs(self, variable: str) -> tuple[Instance, ...]:
        place = self._program.environment.get(variable, "")
        if not place:
            return ()
        from countermark.core.light import sha256  # noqa: PLC0415 - where there are some
        from countermark.proofs import public_keys, signatures  # noqa: PLC0415 - where there are some

        key = self._read(place, public_keys.parse)
        log = Instance(
            base_url="",
            key=key.der,
            key_details=signatures.key_details(key),
            log_id=sha256(key.der).digest(),
            start=None,
        )
        return (log,)

    def _read(self, place: str, parse: "Callable[[bytes], T]") -> "T":
        try:
            return parse(self._program.cosign.given(place))
        except CountermarkError as error:
            text = str(error) if isinstance(error, InputError) else f"{place}: {error}"
            raise CosignError(f"setting trusted material: {text}", hint=error.hint) from error


def _authority(chain: "tuple[Certificate, ...]") -> Authority:
    root = chain[-1]
    return Authority(
        organization="",
        common_name=root.common_name,
        uri="",
        certificates=tuple(each.der for each in chain),
        start=None,
    )
