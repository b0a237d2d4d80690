"""Keys of a private Sigstore's services that lie elsewhere: in a token, with a key service, in a file of cosign's.

Each is named as ``SERVICE=REFERENCE``. One that the trusted root does not name yet is taken by the next rotation, or
when everything begins; former logs go on needing theirs.
"""

from countermark.assembly.sigstore_trust import AUTHORITY, CERTIFICATE_LOG, LOG, TIMESTAMPS
from countermark.core.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from countermark.core.ports_sigstore import SigningKey

WORDS = {"ca": AUTHORITY, "log": LOG, "ctlog": CERTIFICATE_LOG, "tsa": TIMESTAMPS}


class OutsideKeys:
    """Opens such keys, once each, when they are asked for."""

    def __init__(self, texts: "Sequence[str]", open_key: "Callable[[str], SigningKey]") -> None:
        """``texts`` are the names, ``open_key`` opens a reference.

        Raises:
            ConfigError: one is not ``SERVICE=REFERENCE``.
        """
        self._open_key = open_key
        self._references: dict[str, list[str]] = {}
        self._keys: dict[str, SigningKey] = {}
        for text in texts:
            word, equals, reference = text.partition("=")
            if word not in WORDS or not equals or not reference:
                raise ConfigError(
                    f"{text[:80]!r} names no service's key",
                    hint=f"as ca=pkcs11:…, log=awskms:///…: one of {', '.join(WORDS)}, and where its key is",
                )
            self._references.setdefault(WORDS[word], []).append(reference)

    def of(self, service: str) -> "Sequence[SigningKey]":
        """The keys for a service, in the order in which they are named.

        Raises:
            InputError, KeyAccessError, UnavailableError: as ``adapters/key_references.py`` says.
        """
        return [self._opened(reference) for reference in self._references.get(service, ())]

    def _opened(self, reference: str) -> "SigningKey":
        if reference not in self._keys:
            self._keys[reference] = self._open_key(reference)
        return self._keys[reference]
