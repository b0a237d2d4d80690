"""What the registry's handlers are given."""

from countermark.core.ports_hosting import HostedBlobs, HostedManifests, HostedTags, HostedUploads
from countermark.core.value import Value


class Stores(Value):
    """Where everything is kept.

    Attributes:
        accept_sparse: take manifests that name blobs or manifests which are not (yet) in the repository: an index of
            which only some platforms were copied keeps its digest, and so its signatures. Otherwise they are refused,
            as distribution does, so that a tag never names an image that cannot be pulled.
    """

    blobs: HostedBlobs
    uploads: HostedUploads
    manifests: HostedManifests
    tags: HostedTags
    accept_sparse: bool = False
