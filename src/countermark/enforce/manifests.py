"""The images that manifests of Kubernetes name.

Pods, and whatever has a template of pods in it at whichever depth: what is called ``containers``, ``initContainers``
or ``ephemeralContainers`` runs, and an image may be a volume. So kinds that nobody here knows are looked into too.
"""

from countermark.formats import strict_yaml
from countermark.formats.strict_yaml import Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def images(content: bytes, file: str) -> tuple[str, ...]:
    """List the images in all documents of a file, each once, in their order.

    Raises:
        ConfigError: it is no YAML, says something twice, has aliases, or a container without an image; with the line.
    """
    found: dict[str, None] = {}
    for document in strict_yaml.parse_all(content, file):
        found.update((image, None) for image in _inside(document))
    return tuple(found)


def _inside(item: Item) -> "Iterator[str]":
    """Yield the images in a value, in everything below it."""
    if isinstance(item.content, list):
        for each in item.content:
            yield from _inside(each)
    elif isinstance(item.content, dict):
        yield from _of_object(item.content)


def _of_object(members: "dict[str, Item]") -> "Iterator[str]":
    for name in _CONTAINERS:
        if name in members:
            yield from _of_containers(members[name])
    if "volumes" in members:
        yield from _of_volumes(members["volumes"])
    for name, each in members.items():
        if name not in _CONTAINERS:
            yield from _inside(each)


def _of_containers(item: Item) -> "Iterator[str]":
    if not isinstance(item.content, list):
        yield from _inside(item)  # something else that has this name
        return
    for each in item.content:
        if not isinstance(each.content, dict):
            continue
        if "image" not in each.content:
            if "name" in each.content:
                each.refuse("a container without an image", "name its image, or leave it out")
            continue
        yield each.content["image"].text()


def _of_volumes(item: Item) -> "Iterator[str]":
    """Yield images that are mounted as volumes (Kubernetes 1.31 and later)."""
    for each in item.content if isinstance(item.content, list) else ():
        image = each.content.get("image") if isinstance(each.content, dict) else None
        if image is not None and isinstance(image.content, dict) and "reference" in image.content:
            yield image.content["reference"].text()
