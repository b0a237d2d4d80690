"""The Docker daemon, where there is one: pull, tag, inspect, load."""

from binascii import b2a_base64

from countermark.adapters import docker_daemon
from countermark.adapters.docker_config import HUB_KEY, Login
from countermark.adapters.docker_daemon import Daemon
from countermark.adapters.docker_events import Event, events
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError, NotFoundError, RefusedError
from countermark.core.reference import DOCKER_HUB, ImageReference, Repository
from countermark.core.value import Value
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from countermark.core.ports import Progress

_NO_LOGIN = "e30="  # {}; the daemon wants the header on a push, whatever is in it


class LocalImage(Value):
    """An image in the daemon's store: its ID, names by tag and by digest, and what it runs on."""

    id: str
    names: tuple[str, ...]
    digests: tuple[ImageReference, ...]
    platform: str

    def digests_in(self, repository: Repository) -> tuple[Digest, ...]:
        """The manifest digests under which a repository's registry has it, as far as the daemon knows."""
        found = [d.digest for d in self.digests if d.repository == repository]
        return tuple(digest for digest in found if digest is not None)


class Pushed(Value):
    """What the daemon says that it pushed."""

    tag: str
    digest: Digest
    size: int


class DockerEngine:
    """A docker daemon's images: LocalImages, and what signing needs.

    Whoever can reach its socket rules the machine, so it is believed about what it holds, and about nothing else: an
    image is fetched by digest, which it checks, and what it says that it pushed is compared with the registry.
    Paths have no API version: each daemon then speaks its own newest, and what is asked has been the same since 1.24.
    """

    def __init__(self, daemon: Daemon, login_of: "Callable[[Repository], Login | None]") -> None:
        """Take a connection to the daemon, and who knows the logins that it needs for registries."""
        self._daemon, self._login_of = daemon, login_of

    def ping(self) -> str:
        """Ask whether it is there, and return the version of its API.

        Raises:
            UnavailableError: no daemon. RefusedError: its socket is not for us.
        """
        with self._daemon.ask("GET", "/_ping") as answer:
            return answer.headers.one("api-version")

    def inspect(self, name: str) -> LocalImage | None:
        """Look at an image in the store, None where there is none of that name.

        Raises:
            UnavailableError, RefusedError: the daemon's part.
        """
        try:
            content = self._daemon.content("GET", f"/images/{docker_daemon.escaped(name)}/json")
        except NotFoundError:
            return None
        found = strict_json.Reader(strict_json.parse(content))
        parts = [found.text(part) for part in ("Os", "Architecture") if found.has(part)]
        if found.has("Variant"):
            parts.append(found.text("Variant"))
        return LocalImage(
            id=found.text("Id"),
            names=found.texts("RepoTags") if found.has("RepoTags") else (),
            digests=_references(found.texts("RepoDigests") if found.has("RepoDigests") else ()),
            platform="/".join(part for part in parts if part),
        )

    def pull(
        self, repository: Repository, digest: Digest, progress: "Progress", platform: str = ""
    ) -> None:
        """Have it fetch an image by digest.

        Raises:
            NotFoundError, RefusedError, UnavailableError: the daemon's part, in docker's words.
        """
        query = [("fromImage", repository.name), ("tag", str(digest))]
        if platform:
            query.append(("platform", platform))
        path = docker_daemon.with_query("/images/create", *query)
        self._watch(path, repository, progress, f"pulling {repository.familiar}@{digest}")

    def push(self, reference: ImageReference, progress: "Progress") -> Pushed | None:
        """Have it send a tagged image, and return what it says about that, None where it says nothing clear.

        The containerd image store reports several digests, one for each platform: only one for the tag itself counts.

        Raises:
            InputError: no tag. NotFoundError, RefusedError, UnavailableError: the daemon's part.
        """
        if reference.tag is None or reference.digest is not None:
            raise InputError("cannot push a digest reference")
        name = docker_daemon.escaped(reference.repository.name)
        path = docker_daemon.with_query(f"/images/{name}/push", ("tag", reference.tag))
        seen = self._watch(path, reference.repository, progress, f"pushing {reference.familiar}")
        found = [pushed for event in seen if (pushed := _pushed(event, reference.tag))]
        return found[0] if len(set(found)) == 1 else None

    def tag(self, source: ImageReference, name: ImageReference) -> None:
        """Give an image of the store a further name.

        Raises:
            NotFoundError: it is not in the store. RefusedError, UnavailableError: the daemon's part.
        """
        path = docker_daemon.with_query(
            f"/images/{docker_daemon.escaped(source.familiar)}/tag",
            ("repo", name.repository.name),
            ("tag", name.tag or "latest"),
        )
        self._daemon.content("POST", path)

    def save(self, name: str) -> "Iterator[bytes]":
        """Yield an image as a docker archive.

        Raises:
            NotFoundError: it is not in the store. UnavailableError: it breaks off.
        """
        path = docker_daemon.with_query("/images/get", ("names", name))
        return self._daemon.ask("GET", path).chunks()

    def load(self, archive: "Iterator[bytes]") -> None:
        """Put a docker archive's images into the store.

        Raises:
            RefusedError: the daemon does not take it. UnavailableError: as elsewhere.
        """
        path = docker_daemon.with_query("/images/load", ("quiet", "1"))
        with self._daemon.ask("POST", path, body=archive) as answer:
            for _ in events(answer.chunks()):
                pass  # an error among them is raised

    def _watch(
        self, path: str, repository: Repository, progress: "Progress", text: str
    ) -> "list[Event]":
        """Follow a pull or push to its end, and return the events that carry a result."""
        login = self._login_of(repository)
        headers = {"X-Registry-Auth": login_header(login, repository.registry)}
        results: list[Event] = []
        done: dict[str, int] = {}
        progress.begin(text, 0)
        try:
            with self._daemon.ask("POST", path, headers=headers) as answer:
                for event in events(answer.chunks()):
                    if event.has_result:
                        results.append(event)
                    if event.current > done.get(event.id, 0):
                        progress.advance(event.current - done.get(event.id, 0))
                        done[event.id] = event.current
        finally:
            progress.finish()
        return results


def _references(texts: tuple[str, ...]) -> tuple[ImageReference, ...]:
    found = []
    for text in texts:
        try:
            found.append(ImageReference.parse(text))
        except InputError:
            continue  # "<none>@sha256:...", which old daemons write
    return tuple(found)


def _pushed(event: Event, tag: str) -> Pushed | None:
    """Read a push's result, ``{"Tag": "v3", "Digest": "sha256:...", "Size": 523}``; None for one of another kind."""
    try:
        result = strict_json.Reader(event.result)
        if result.text("Tag") != tag:
            return None
        return Pushed(
            tag=tag, digest=Digest.parse(result.text("Digest")), size=result.integer("Size")
        )
    except (MalformedError, InputError):
        return None


def login_header(login: Login | None, registry: str) -> str:
    """Write X-Registry-Auth: base64 (URL alphabet) of docker's AuthConfig."""
    if login is None or login.is_empty:
        return _NO_LOGIN
    fields = {
        "username": login.username,
        "password": login.password,
        "identitytoken": login.identity_token,
        "registrytoken": login.registry_token,
        "serveraddress": HUB_KEY if registry == DOCKER_HUB else registry,
    }
    text = strict_json.compact({name: value for name, value in fields.items() if value})
    return b2a_base64(text, newline=False).decode("ascii").translate({43: "-", 47: "_"})


def check_pushed(pushed: Pushed | None, digest: Digest) -> None:
    """Compare what the daemon says that it pushed with what the registry has.

    Raises:
        RefusedError: ``moved-tag``, the registry's tag has another digest already.
    """
    if pushed is not None and pushed.digest != digest:
        raise RefusedError(
            f"pushed {pushed.digest}, and the registry's tag {pushed.tag} has {digest} now",
            code=Code.MOVED_TAG,
            hint="somebody else pushed the same tag meanwhile; push again",
        )
