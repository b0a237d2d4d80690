"""How cosign's flags say to reach a registry."""

from countermark.assembly.cosign_registry import RegistryAccess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.cli.cosign.words import Words


def registry_access(words: "Words") -> RegistryAccess:
    """Read the login and the certificates.

    Raises:
        InputError: half of a pair.
    """
    return RegistryAccess(
        username=words.text("registry-username"),
        password=words.text("registry-password"),
        token=words.text("registry-token"),
        ca_file=words.text("registry-cacert"),
        certificate_file=words.text("registry-client-cert"),
        key_file=words.text("registry-client-key"),
    )
