"""What commands about a server of ours ask for: the server itself, its folder, its copies, and its Sigstore."""

import os

from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from countermark.adapters.identity_accounts import AccountFile
    from countermark.adapters.identity_issuer import IdentityIssuer
    from countermark.assembly.program import Program
    from countermark.assembly.server import Server
    from countermark.assembly.sigstore_files import InUse
    from countermark.config import Config, Serve
    from countermark.core.ports_sigstore import SigningKey


class Hosting:
    """Servers of ours on this machine, found by their folders."""

    def __init__(self, program: "Program") -> None:
        self._program = program

    def data(self, given: str) -> str:
        """The folder of ``serve``: the one given, else the configuration's, else the usual one."""
        return self._program.absolute(given) if given else self._data_of(self._program.config.serve)

    def _data_of(self, serve: "Serve") -> str:
        return self._program.absolute(serve.data or self._program.data_folder)

    def server(self, flags: "Mapping[str, object]") -> "Server":
        """A registry and trust server, as the configuration and these flags have it."""
        from countermark.assembly.program import clock
        from countermark.assembly.server import Server

        program = self._program
        return Server(
            self._serving(flags), program.data_folder, clock, program.environment, self._open_key
        )

    def _open_key(self, reference: str) -> "SigningKey":
        return self._program.cosign.keys.signing_key(reference)

    def _serving(self, flags: "Mapping[str, object]") -> "Config":
        """The configuration with the flags of a command about a server."""
        from countermark.config import serve_flags

        return self._program.config_with((serve_flags(flags),))

    def backup(
        self, flags: "Mapping[str, object]", to: str, *, with_master_key: bool
    ) -> "Sequence[str]":
        """Copy a server's folder into a file; say what was done."""
        from countermark.assembly import backups

        serve = self._serving(flags).serve
        data = self._data_of(serve)
        order = backups.BackupOrder(
            data=data,
            to=self._program.absolute(to),
            master_key=serve.master_key_file or os.path.join(data, backups.MASTER),
            with_master_key=with_master_key,
        )
        return backups.backup(order, self._program.now())

    def restore(
        self, flags: "Mapping[str, object]", file: str, expected: "Sequence[str]"
    ) -> "Sequence[str]":
        """Put a copy of a server's folder into an empty one; say what follows."""
        from countermark.assembly import backups

        serve = self._serving(flags).serve
        texts = []
        for path in expected:
            text = self._program.files.read(path)
            if text is None:
                raise InputError(f"there is no file {path}")
            texts.append(text)
        order = backups.RestoreOrder(
            file=file,
            data=self._data_of(serve),
            master_key=serve.master_key_file,
            expected=tuple(texts),
        )
        return backups.restore(order)

    def accounts(self, data: str) -> "AccountFile":
        """The accounts of the issuer in a server's folder."""
        from countermark.assembly import sigstore_files

        return sigstore_files.accounts(self.data(data))

    def identity_issuer(self, issuer: str, ca: str, data: str) -> "IdentityIssuer":
        """An issuer of identity tokens: at an address, or of a server's folder."""
        from countermark.assembly import sigstore_files

        return sigstore_files.issuer(self._program, issuer, ca, self.data(data))

    def exported(self, data: str) -> "Mapping[str, bytes]":
        """What hosts without a network need of the Sigstore in a server's folder."""
        from countermark.assembly import sigstore_files

        folder = self.data(data)
        own = os.path.join(folder, "master.key")
        return sigstore_files.exported(folder, self._program.config.serve.master_key_file or own)

    def use(self, data: str, *, replace: bool) -> "InUse":
        """Sign and verify with the Sigstore in a server's folder from now on."""
        from countermark.assembly import sigstore_files

        return sigstore_files.use(self._program, self.data(data), replace=replace)

    def rotate(self, flags: "Mapping[str, object]", what: str, url: str) -> "Sequence[str]":
        """Give a service of the Sigstore in a server's folder a new key; say what holds from now on."""
        from countermark.assembly import sigstore_files, sigstore_rotation
        from countermark.assembly.sigstore_keys import OutsideKeys

        serve = self._serving(flags).serve
        data = self._data_of(serve)
        outside = OutsideKeys(serve.service_keys, self._open_key).of
        settings = sigstore_files.settings(data, serve, self._program.environment).replace(
            outside=outside
        )
        return sigstore_rotation.rotate(settings, self._program.now, what, url)

    @staticmethod
    def write_files(folder: str, files: "Mapping[str, bytes]") -> None:
        """Put files into a folder."""
        from countermark.assembly import sigstore_files

        sigstore_files.write_files(folder, files)
