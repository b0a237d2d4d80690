"""What commands read and write of a private Sigstore in a server's folder, whether or not it runs."""

import os

from countermark.adapters import storage
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.service_keys import SealedFiles
from countermark.adapters.tuf_files import TufFolder
from countermark.assembly.log_stores import settings_of
from countermark.assembly.sigstore import FOLDER, SigstoreSettings, accounts_path
from countermark.core import limits
from countermark.core.errors import InputError
from countermark.formats import trusted_root
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
    from countermark.adapters.identity_issuer import IdentityIssuer

    if not url:
        url = f"{url_of(data)}/identity"
        own = os.path.join(data, "tls", "ca.crt")
        ca = ca or (own if os.path.exists(own) else "")
    host = trusted_root.host_of(url)
    found = program.certificate_folders.tls_for(host)
    files = (*found.ca_files, ca) if ca else found.ca_files
    return IdentityIssuer(program.http, url, HostTls(ca_files=files))


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
