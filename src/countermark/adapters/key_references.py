"""What ``--key REF`` means: a file, a variable, a token, a cloud.

A public key is always fetched, and signatures are verified here with it, never by whoever keeps the key. Source:
cosign ``pkg/signature/keys.go``, ``pkg/blob/load.go``, sigstore ``pkg/signature/kms`` (specs: cosign, 2d).

=================================  =====================================================================
``path``                           a file: public key, or private key as ``generate-key-pair`` writes it
``https://…``                      a public key (plain http from loopback only)
``env://VAR``                      a PEM text in a variable
``k8s://NAMESPACE/NAME``           a secret
``pkcs11:…``                       a token
``awskms://``, ``gcpkms://``,      a cloud's key service
``azurekms://``
``hashivault://``, ``openbao://``  Vault's transit engine
``NAME://…``                       a program ``sigstore-kms-NAME``
=================================  =====================================================================
"""

from countermark.adapters import given_files
from countermark.core import limits
from countermark.core.errors import InputError, KeyAccessError, MalformedError
from countermark.proofs import public_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from countermark.adapters.http_client import HttpClient
    from countermark.core.ports import Clock
    from countermark.core.ports_sigstore import SigningKey
    from countermark.proofs.spki import PublicKey

    class KeyPlace(Protocol):
        """One kind of place where keys are kept."""

        def public_key(self, reference: str) -> PublicKey:
            """Fetch a public key."""
            ...

        def signing_key(self, reference: str) -> SigningKey:
            """Find a key that signs."""
            ...


class Secrets:
    """Where passwords come from: a terminal, the environment, a test."""

    def __init__(
        self, password: "Callable[[], bytes]", pin: "Callable[[str], str] | None" = None
    ) -> None:
        """``password`` gives the password of a key file; ``pin`` that of a token, asked for with a text."""
        self.password = password
        self.pin = pin or _no_pin


def _no_pin(text: str) -> str:
    raise KeyAccessError(
        f"{text.rstrip(': ')}: nobody to ask", hint="set COSIGN_PKCS11_PIN, or pin-value in the URI"
    )


class KeyReferences:
    """Turns references into keys."""

    def __init__(
        self,
        client: "HttpClient",
        environment: "Mapping[str, str]",
        home: str,
        secrets: Secrets,
        clock: "Clock",
    ) -> None:
        """``home`` is the user's folder; ``secrets`` are asked only where a key needs it."""
        self._client, self._environment, self._home = client, environment, home
        self._secrets, self._clock = secrets, clock

    def public_key(self, reference: str) -> "PublicKey":
        """Fetch the public key that a reference means.

        Raises:
            InputError: no such kind of reference, a file or variable that is not there, or a malformed reference.
            MalformedError: what is there is no public key that we accept.
            KeyAccessError, UnavailableError: its keeper refuses, or is out of reach.
        """
        place = self._place(reference)
        if place is not None:
            return place.public_key(reference)
        try:
            return public_keys.parse(self._loaded(reference))
        except MalformedError as error:
            raise MalformedError(f"pem to public key: {error}", code=error.code) from None

    def signing_key(self, reference: str) -> "SigningKey":
        """Find the key that a reference means, ready to sign.

        Raises:
            InputError: as ``public_key``. KeyAccessError: there is no such key, it does not open, its keeper refuses.
            UnavailableError: its keeper is out of reach.
        """
        place = self._place(reference)
        if place is not None:
            return place.signing_key(reference)
        if reference.startswith(("http://", "https://")):
            raise InputError("a private key is not fetched over the network")
        from countermark.proofs import cosign_key_files  # noqa: PLC0415 - who signs

        try:
            content = self._loaded(reference)
        except MalformedError as error:
            raise KeyAccessError(str(error), code=error.code) from None
        inside = cosign_key_files.parse(content).decrypted(self._secrets.password())
        from countermark.proofs import cosign_keys  # noqa: PLC0415 - loads cryptography: after scrypt

        return cosign_keys.of_pkcs8(inside)

    def create(self, reference: str) -> "PublicKey":
        """Have a key made where a reference says, by a key service or program; return the public key.

        One that is there already is left as it is. Keys in files and secrets: ``proofs/signing_keys.generate``,
        ``KubernetesKeys.store``.

        Raises:
            InputError: nobody makes keys for such a reference. KeyAccessError, UnavailableError: as ``public_key``.
        """
        place = self._place(reference)
        make: Callable[[str], PublicKey] | None = getattr(place, "create", None)
        if make is not None:
            return make(reference)
        scheme, found, _ = reference.partition("://")
        if not found:
            raise InputError("could not parse scheme, use <scheme>://<ref> format")
        raise InputError(
            f"no kms provider found for key reference: {reference[:200]}: "
            f'exec: "sigstore-kms-{scheme[:80]}": executable file not found in $PATH'
        )

    def _place(self, reference: str) -> "KeyPlace | None":
        """Who keeps the key; None where the reference means bytes that we read ourselves."""
        # each is loaded only where it is named
        found: KeyPlace | None = None
        scheme = reference.partition(":")[0]
        if reference.startswith("pkcs11:"):
            from countermark.adapters.pkcs11_keys import Pkcs11Keys  # noqa: PLC0415

            return Pkcs11Keys(self._environment, self._secrets.pin)
        if "://" not in reference or scheme in ("env", "http", "https"):
            return None
        if not reference.isprintable():  # nor are bytes that are no text
            raise InputError(f"not a key reference: {reference[:200]!r}")
        if scheme == "k8s":
            from countermark.adapters.kubernetes_keys import KubernetesKeys  # noqa: PLC0415

            return KubernetesKeys(self._client, self._environment, self._home)
        if scheme in ("hashivault", "openbao"):
            from countermark.adapters.vault_keys import VaultKeys  # noqa: PLC0415

            return VaultKeys(self._client, self._environment, self._home)
        found = self._cloud(scheme)
        if found is None:
            from countermark.adapters.key_plugins import PluginKeys  # noqa: PLC0415

            plugins = PluginKeys(self._environment)
            found = plugins if plugins.program(reference) else None
        return found

    def _cloud(self, scheme: str) -> "KeyPlace | None":
        if scheme == "awskms":
            from countermark.adapters.aws_keys import AwsKeys  # noqa: PLC0415 - see _place

            return AwsKeys(self._environment)
        if scheme == "gcpkms":
            from countermark.adapters.cloud_tokens import GoogleTokens  # noqa: PLC0415 - see _place
            from countermark.adapters.gcp_keys import GcpKeys  # noqa: PLC0415 - see _place
            from countermark.adapters.key_services import AccessToken  # noqa: PLC0415 - see _place

            tokens = GoogleTokens(self._client, self._environment, self._home, self._clock)
            token = AccessToken(tokens.fetch, self._clock)
            return GcpKeys(self._client, self._environment, token)
        if scheme == "azurekms":
            from countermark.adapters.azure_keys import AzureKeys  # noqa: PLC0415 - see _place

            return AzureKeys(self._client, self._environment, self._clock)
        return None

    def _loaded(self, reference: str) -> bytes:
        """Read a file, a variable or a URL."""
        return given_files.load(reference, self._client, self._environment, limits.KEY_FILE_BYTES)
