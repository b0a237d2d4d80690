"""Docker Content Trust: every tag that is vouched for, and by whom."""

from countermark.core.light import Sequence, datetime
from countermark.core.ports import TrustServers
from countermark.core.reference import Repository
from countermark.schemes.dct.repository import Loader
from countermark.schemes.interface import VouchedTag


class DctTags:
    """Lists what docker would pull by tag (port ``TagList``); roots are believed as ``trust inspect`` does."""

    def __init__(self, servers: TrustServers, loader: Loader) -> None:
        """Take where trust data come from."""
        self._servers, self._loader = servers, loader

    def tags(self, repository: Repository, now: datetime) -> Sequence[VouchedTag]:
        """See the port; who signs as the repository itself is named as its role, ``targets``."""
        server = self._servers.server_for(repository)
        collection = self._loader.load(repository.name, server, now)
        return [
            VouchedTag(tag=each.tag, digest=each.digest, signers=each.signers or (each.role,))
            for each in collection.released_tags()
        ]
