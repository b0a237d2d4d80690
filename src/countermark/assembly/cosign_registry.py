"""The registry client of one cosign command: with the login and certificates of its flags, besides docker's."""

from countermark.core.errors import InputError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.adapters.docker_config import CaFolders, Login
    from countermark.adapters.http_tls import HostTls
    from countermark.adapters.registry import RegistryClient
    from countermark.assembly.program import Program


class RegistryAccess(Value):
    """How a registry is reached: our login or token there, files of CA certificates and of our own certificate."""

    username: str = ""
    password: str = ""
    token: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    def _check(self) -> None:
        if bool(self.certificate_file) != bool(self.key_file):
            raise InputError("--registry-client-cert and --registry-client-key go together")
        if bool(self.username) != bool(self.password):
            raise InputError("--registry-username and --registry-password go together")

    def __repr__(self) -> str:
        return f"RegistryAccess({self.username})"  # never the secrets

    @property
    def has_login(self) -> bool:
        """Whether it says who we are."""
        return bool(self.username or self.token)


class _OneLogin:
    """The login of the flags, at whichever registry is asked."""

    def __init__(self, access: RegistryAccess) -> None:
        self._access = access

    def login_for(self, registry: str, path: str = "") -> "Login | None":
        from countermark.adapters.docker_config import Login

        access = self._access
        if access.token:
            return Login(registry_token=access.token)
        return Login(username=access.username, password=access.password)


class _MoreTls:
    """What the folders say about TLS with a server, and the flags besides."""

    def __init__(self, folders: "CaFolders", access: RegistryAccess) -> None:
        self._folders, self._access = folders, access

    def tls_for(self, *hosts: str, ca_texts: "Sequence[str]" = ()) -> "HostTls":
        found, access = self._folders.tls_for(*hosts, ca_texts=ca_texts), self._access
        if access.ca_file:
            found = found.replace(ca_files=(*found.ca_files, access.ca_file))
        if access.certificate_file:
            pair = (access.certificate_file, access.key_file)
            found = found.replace(client_pairs=(pair, *found.client_pairs))
        return found


def registry(program: "Program", access: RegistryAccess) -> "RegistryClient":
    """Make the client."""
    from countermark.adapters.registry import RegistryClient
    from countermark.adapters.registry_auth import Authenticator
    from countermark.adapters.registry_map import RegistryMap

    authenticator = program.authenticator
    if access.has_login:
        authenticator = Authenticator(program.http, _OneLogin(access))  # type: ignore[arg-type]
    tls = _MoreTls(program.certificate_folders, access)
    return RegistryClient(authenticator, RegistryMap({}), tls)  # type: ignore[arg-type]
