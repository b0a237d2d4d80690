"""What Docker Content Trust needs: its folder, its servers, its keys, and who loads and publishes with them."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.adapters.notary import NotaryServers
    from countermark.adapters.trust_folder import CachedMetadata, PrivateKeys
    from countermark.assembly.program import Program
    from countermark.schemes.dct.key_ring import KeyRing
    from countermark.schemes.dct.repository import Loader
    from countermark.schemes.dct.signer import DctPublisher
    from countermark.schemes.dct.verifier import DctVerifier


class Dct:
    """Makes, once each, the things that docker's trust commands and verifications may ask for."""

    def __init__(self, program: "Program") -> None:
        self._program = program

    @property
    def folder(self) -> str:
        """Docker's trust folder."""
        return os.path.join(self._program.docker_folder, "trust")

    @property
    def cache(self) -> "CachedMetadata":
        """Cached metadata, pins and remembered versions."""
        from countermark.adapters.trust_folder import CachedMetadata

        return self._program.once("cache", lambda: CachedMetadata(self.folder))

    @property
    def keys(self) -> "PrivateKeys":
        """The private keys of the trust folder."""
        from countermark.adapters.trust_folder import PrivateKeys

        return self._program.once("keys", lambda: PrivateKeys(self.folder))

    @property
    def servers(self) -> "NotaryServers":
        """The trust servers."""
        return self._program.once("servers", self._servers)

    def _servers(self) -> "NotaryServers":
        from countermark.adapters.docker_config import CaFolders
        from countermark.adapters.notary import NotaryServers

        folders = [os.path.join(self._program.docker_folder, "tls")]
        return NotaryServers(
            self._program.authenticator, CaFolders(folders), self._program.config.trust_server
        )

    @property
    def loader(self) -> "Loader":
        """Loads repositories' trust data."""
        from countermark.schemes.dct.repository import Loader

        return self._program.once("loader", lambda: Loader(self.cache, self._program.warn))

    @property
    def ring(self) -> "KeyRing":
        """The private keys, opened when needed."""
        from countermark.schemes.dct.key_ring import KeyRing

        return self._program.once("ring", lambda: KeyRing(self.keys, self._program.terminal))

    @property
    def publisher(self) -> "DctPublisher":
        """Publishes trust data with the keys of the trust folder."""
        from countermark.schemes.dct.signer import DctPublisher

        return self._program.once(
            "publisher", lambda: DctPublisher(self.servers, self.loader, self.ring)
        )

    def verifier(self) -> "DctVerifier":
        """Who signed a tag, and which digest it means."""
        from countermark.schemes.dct.verifier import DctVerifier

        return DctVerifier(self.servers, self.loader)
