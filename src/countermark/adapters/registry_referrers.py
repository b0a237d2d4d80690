"""What refers to a subject: signatures, attestations; by the registry's API, or by a tag where it has none.

distribution-spec 1.1, "Listing Referrers" and "Pushing Manifests with Subject". Whether a registry has the API is
asked each time and never known from a list: it changes without notice. The tag is an index that every writer reads,
changes and puts back, so that two writers at once can lose an entry. Ours give each referrer a tag of its own first
(``oci.own_tag``), and do not rest until the index has all that have one; ``repair`` does so for what others lost.
"""

from countermark.adapters.http_exchange import Answer
from countermark.adapters.registry_requests import (
    PUSH,
    Call,
    RegistryRequests,
    next_page,
)
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import Repository
from countermark.formats import oci
from countermark.formats.oci import Descriptor
from countermark.formats.strict_json import Reader, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_WITHOUT_API = (400, 404, 405, 406)  # as registries without it have been seen to answer
# docker-registry 2.8 answers so to who puts a manifest while somebody else uploads the same small blob, as signers do
_RACED = (400, 500)
_REPAIRS = 24  # rounds: each that another writer interrupts costs one


def find(
    requests: RegistryRequests, repository: Repository, subject: Digest, artifact_type: str = ""
) -> tuple[Descriptor, ...]:
    """List what refers to a subject; filtered by us, whatever the registry says that it did."""
    found = _by_api(requests, repository, subject, artifact_type)
    if found is None:
        found, _ = _by_tag(requests, repository, subject)
    return tuple(each for each in found if artifact_type in ("", each.artifact_type))


def _by_api(
    requests: RegistryRequests, repository: Repository, subject: Digest, artifact_type: str
) -> tuple[Descriptor, ...] | None:
    """Ask the API; None where the registry has none."""
    from countermark.adapters.http_url import quote  # noqa: PLC0415 - one name

    query = f"?artifactType={quote(artifact_type)}" if artifact_type else ""
    call = Call(
        method="GET",
        tail=f"referrers/{subject}{query}",
        headers={"Accept": oci.OCI_INDEX},
        follow=True,
    )
    found: list[Descriptor] = []
    for _ in range(limits.PAGES):
        answer = requests.answer(repository, call, 200, *_WITHOUT_API)
        if answer.status != 200 or not _is_index(answer):
            return None
        found += oci.parse_index(answer.content, oci.OCI_INDEX).manifests
        if len(found) > limits.INDEX_MANIFESTS:
            raise MalformedError(
                f"more than {limits.INDEX_MANIFESTS} referrers", code=Code.TOO_LARGE
            )
        following = next_page(answer)
        if following is None:
            return tuple(found)
        call = call.replace(at=following)
    raise MalformedError(f"more than {limits.PAGES} pages of referrers", code=Code.TOO_LARGE)


def _is_index(answer: Answer) -> bool:
    return oci.media_type_of(answer.headers.one("content-type")) == oci.OCI_INDEX


def _by_tag(
    requests: RegistryRequests, repository: Repository, subject: Digest
) -> tuple[tuple[Descriptor, ...], str]:
    """Read the tag's index, and the ETag under which it may be replaced, "" where there is none."""
    call = Call(
        method="GET",
        tail=f"manifests/{oci.fallback_tag(subject)}",
        headers={"Accept": ", ".join(oci.INDEXES)},
        follow=True,
    )
    try:
        answer = requests.answer(repository, call, 200)
    except NotFoundError:
        return (), ""
    etag = answer.headers.one("etag")
    if oci.media_type_of(answer.headers.one("content-type")) in oci.MANIFESTS:
        return (), etag  # cosign copies images to this very name
    return oci.parse_index(answer.content).manifests, etag


def put_manifest(
    requests: RegistryRequests,
    repository: Repository,
    name: str,
    media_type: str,
    content: bytes,
) -> Digest:
    """Put a manifest, and list it as a referrer where the registry does not do so itself."""
    referrer = oci.referrer_of(content, media_type)
    raced = _RACED if referrer or ".cm-" in name else ()
    answer = _put(requests, repository, name, media_type, content, raced)
    digest = Digest.of(content, "sha512" if name.startswith("sha512:") else "sha256")
    stated = answer.headers.one("docker-content-digest")
    if stated and stated != str(digest):
        raise MalformedError(
            f"the registry stored {stated[:160]} for manifest {digest}", code=Code.CHECKSUM
        )
    if referrer and not answer.headers.all("oci-subject"):
        subject, entry = referrer
        if not _has_api(requests, repository, subject):
            own = oci.own_tag(subject, digest)
            if name != own:
                _put(requests, repository, own, media_type, content, _RACED)
            _complete(requests, repository, subject, entry)
    return digest


def _put(
    requests: RegistryRequests,
    repository: Repository,
    name: str,
    media_type: str,
    content: bytes,
    retry: tuple[int, ...] = (),
) -> Answer:
    call = Call(
        method="PUT",
        tail=f"manifests/{name}",
        headers={"Content-Type": media_type},
        body=content,
        actions=PUSH,
        what=f"manifest {name} of {repository.name}",
        retry=retry,
    )
    return requests.answer(repository, call, 201)


def repair(requests: RegistryRequests, repository: Repository, subject: Digest) -> int:
    """Put back into the fallback tag's index what has a tag of its own and is not in it; say how many those were.

    Raises:
        RefusedError, UnavailableError, EvidenceError: see core/ports.
    """
    if _has_api(requests, repository, subject):
        return 0
    return _complete(requests, repository, subject, None)


def _complete(
    requests: RegistryRequests, repository: Repository, subject: Digest, own: Descriptor | None
) -> int:
    """Have the index list everything that has a tag of its own, however many write at once.

    Who writes last has looked for tags after all others had theirs, so that nothing is missing in the end.
    """
    known: dict[str, Descriptor] = {}
    if own is not None:
        known[oci.own_tag(subject, own.digest)] = own
    added: set[Digest] = set()
    for _ in range(_REPAIRS + 1):
        before, etag = _by_tag(requests, repository, subject)
        present = {each.digest: each for each in before}
        listed_well = {oci.own_tag(subject, e.digest): e for e in before if e.annotations}
        wanted = _with_own_tags(requests, repository, subject, known | listed_well)
        if own is not None:
            wanted[own.digest] = own
        missing = [each for each in wanted.values() if present.get(each.digest) != each]
        if not missing:
            return len(added)
        added |= {each.digest for each in missing}
        content = _list(tuple((present | wanted).values()))
        tag = oci.fallback_tag(subject)
        replace_tag(requests, repository, tag, oci.OCI_INDEX, content, etag)
    raise UnavailableError(
        f"{repository.name}: other writers keep overwriting the referrers of {subject}",
        hint="try again",
    )


def _with_own_tags(
    requests: RegistryRequests,
    repository: Repository,
    subject: Digest,
    known: dict[str, Descriptor],
) -> dict[Digest, Descriptor]:
    """Read the referrers that have a tag of their own, but for those that are known."""
    tags = set(tags_beginning(requests, repository, oci.own_tags(subject)))
    for tag in sorted(tags - known.keys()):
        call = Call(
            method="GET",
            tail=f"manifests/{tag}",
            headers={"Accept": ", ".join(oci.MANIFESTS)},
            follow=True,
        )
        try:
            answer = requests.answer(repository, call, 200)
        except NotFoundError:
            continue  # removed meanwhile
        media_type = oci.media_type_of(answer.headers.one("content-type"))
        found = oci.referrer_of(answer.content, media_type)
        if found is not None and found[0] == subject:
            known[tag] = found[1]
    return {each.digest: each for tag, each in known.items() if tag in tags}


def tags_beginning(
    requests: RegistryRequests, repository: Repository, prefix: str
) -> "tuple[str, ...]":
    """List the tags that begin with a prefix, without those before it where the registry lists them in order.

    Raises:
        RefusedError, UnavailableError, EvidenceError: see core/ports.
    """
    from countermark.adapters.http_url import quote  # noqa: PLC0415 - one name

    call = Call(
        method="GET",
        tail=f"tags/list?n={limits.TAG_PAGE}&last={quote(prefix[:-1])}",
        max_bytes=limits.JSON_BYTES,
        follow=True,
    )
    found: list[str] = []
    for _ in range(limits.PAGES):
        try:
            answer = requests.answer(repository, call, 200)
        except NotFoundError:
            return ()
        document = Reader(parse(answer.content))
        tags = document.texts("tags") if document.has("tags") else ()
        found += [tag for tag in tags if tag.startswith(prefix)]
        following = next_page(answer)
        if following is None or any(tag > prefix and not tag.startswith(prefix) for tag in tags):
            return tuple(found)
        call = call.replace(at=following)
    raise MalformedError(f"more than {limits.PAGES} pages of tags", code=Code.TOO_LARGE)


def _has_api(requests: RegistryRequests, repository: Repository, subject: Digest) -> bool:
    try:
        return _by_api(requests, repository, subject, "") is not None
    except RefusedError:
        return False


def _list(entries: "Sequence[Descriptor]") -> bytes:
    ordered = sorted(entries, key=lambda each: str(each.digest))
    content = oci.encode_index(ordered)
    if len(content) > limits.MANIFEST_BYTES or len(ordered) > limits.INDEX_MANIFESTS:
        raise MalformedError("too many referrers for one tag", code=Code.TOO_LARGE)
    return content


def replace_tag(
    requests: RegistryRequests,
    repository: Repository,
    tag: str,
    media_type: str,
    content: bytes,
    etag: str,
) -> bool:
    """Put a manifest under a tag unless that means another one than it did; ``etag`` is what it had, "" for any.

    Registries that know no conditions put it anyway. False where it was not put.

    Raises:
        RefusedError, UnavailableError: see core/ports.
    """
    call = Call(
        method="PUT",
        tail=f"manifests/{tag}",
        headers={"Content-Type": media_type} | ({"If-Match": etag} if etag else {}),
        body=content,
        actions=PUSH,
        what=f"manifest {tag} of {repository.name}",
        retry=_RACED,
    )
    return requests.answer(repository, call, 201, 412).status == 201
