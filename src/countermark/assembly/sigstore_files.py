"""What commands read and write of a private Sigstore in a server's folder; most need no server that runs."""

import os

from countermark.adapters import storage
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.service_keys import SealedFiles
from countermark.adapters.tuf_files import TufFolder
from countermark.assembly.log_stores import settings_of
from countermark.assembly.sigstore import FOLDER, SigstoreSettings, accounts_path
from countermark.core import limits
from countermark.core.errors import Code, InputError
from countermark.core.value import Value
from countermark.services import sigstore_parts
from countermark.services.trust_root import TrustRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.identity_issuer import IdentityIssuer
    from countermark.assembly.program import Program
    from countermark.config import Serve


def accounts(data: str) -> AccountFile:
    """The accounts of the issuer in a server's folder; they may be made before it first starts."""
    path = accounts_path(os.path.join(data, FOLDER))
    storage.make_folder(os.path.dirname(path))
    return AccountFile(path)


def url_of(data: str) -> str:
    """How the Sigstore in a server's folder is reached.

    Raises:
        InputError: there is none.
    """
    content = storage.read(os.path.join(data, FOLDER, "url"), limits.KIB)
    if content is None:
        raise InputError(
            f"there is no Sigstore in {data}", hint="start it once: countermark serve --sigstore"
        )
    return content.decode("utf-8", "replace").strip()


def settings(data: str, serve: "Serve", environment: "Mapping[str, str]") -> SigstoreSettings:
    """How the Sigstore in a server's folder was last started, as far as a command needs it.

    Raises:
        InputError: there is none.
    """
    return SigstoreSettings(
        folder=os.path.join(data, FOLDER),
        master_key=serve.master_key_file or os.path.join(data, "master.key"),
        make_master=False,
        url=url_of(data),
        logs=settings_of(serve, environment),
    )


def issuer(program: "Program", url: str, ca: str, data: str) -> "IdentityIssuer":
    """The issuer at an address, or the one of a server's folder.

    Raises:
        InputError: there is no Sigstore in that folder.
    """
    from countermark.adapters.http_tls import HostTls
    from countermark.adapters.http_url import Url
    from countermark.adapters.identity_issuer import IdentityIssuer

    if not url:
        url = f"{url_of(data)}/identity"
        own = _own_ca(data)
        ca = ca or (own if os.path.exists(own) else "")
    found = program.certificate_folders.tls_for(Url.parse(url).authority)
    files = (*found.ca_files, ca) if ca else found.ca_files
    return IdentityIssuer(program.http, url, HostTls(ca_files=files))


class InUse(Value):
    """A Sigstore that this user signs with and believes from now on.

    Attributes:
        url: where it is.
        issuer: what verifiers name besides an identity.
        ca_file: where its server's CA lies now, "" where the system's roots vouch for it.
        root_folder: where its trust root is kept.
    """

    url: str
    issuer: str
    ca_file: str
    root_folder: str


def use(program: "Program", data: str, *, replace: bool) -> InUse:
    """Let this user's signing and verifying be with the Sigstore in a server's folder, which must run.

    Nothing is changed before its trust root was fetched and verified, from the first root in the folder.

    Args:
        program: whose user it is.
        data: the server's folder.
        replace: another CA that is believed for the server gives way.

    Raises:
        InputError: there is no Sigstore in that folder, or another CA is believed for its address.
        UnavailableError, EvidenceError: the server does not answer, or as another one. StorageError.
    """
    from countermark.adapters.http_tls import HostTls
    from countermark.adapters.http_url import Url

    url = url_of(data)
    host = Url.parse(url).authority
    root = storage.read(os.path.join(data, FOLDER, "tuf", "root.json"), limits.TUF_FILE_BYTES)
    if not root:
        raise InputError(
            f"the Sigstore in {data} has no trust root yet",
            hint="start it once: countermark serve --sigstore",
        )
    ca = storage.read(_own_ca(data), limits.POLICY_BYTES)
    ca_file = os.path.join(program.docker_folder, "tls", host, "ca.crt") if ca else ""
    if ca and not replace:
        _check_other(ca_file, ca, host)
    found = program.certificate_folders.tls_for(host)
    if ca:
        found = HostTls(ca_files=(_own_ca(data),), client_pairs=found.client_pairs)
    source = program.cosign.sigstore(f"{url}/tuf", root, tls_for=lambda _: found)
    source.initialize()
    source.trusted_root()
    source.signing_config()
    if ca:
        storage.write(ca_file, ca, mode=0o644)
    return InUse(
        url=url, issuer=f"{url}/identity", ca_file=ca_file, root_folder=program.cosign.tuf_folder
    )


def _check_other(file: str, ca: bytes, host: str) -> None:
    before = storage.read(file, limits.POLICY_BYTES)
    if before is not None and before.strip() != ca.strip():
        raise InputError(
            f"another CA is believed for {host}: {file}",
            code=Code.KEY_EXISTS,
            hint="if that server is gone, say --replace",
        )


def _own_ca(data: str) -> str:
    """Where a server keeps the CA that it made, if it made one."""
    return os.path.join(data, "tls", "ca.crt")


def exported(data: str, master_key: str) -> "Mapping[str, bytes]":
    """The files for hosts without a network, checked as the server itself would; ``master_key`` is its key's file.

    Raises:
        InputError: there is no Sigstore in that folder. KeyAccessError, StorageError: it cannot be read.
    """
    from countermark.assembly.program import clock

    url_of(data)
    folder = os.path.join(data, FOLDER)
    keys = SealedFiles(os.path.join(folder, "keys"), master_key, make=False)
    tuf = TrustRoot(TufFolder(os.path.join(folder, "tuf")), keys, clock)
    return sigstore_parts.exported(tuf.handed_out(), tuf.root())


def write_files(folder: str, files: "Mapping[str, bytes]") -> None:
    """Put files into a folder, each as a whole; the folder is made."""
    storage.make_folder(folder)
    for name, content in files.items():
        storage.write(os.path.join(folder, name), content, mode=0o644)
