"""Real registries answer what they are asked ahead, in its order and all of it; nothing has to be asked again."""

import pytest

from countermark.adapters.registry_requests import RegistryRequests
from countermark.core.digest import Digest
from countermark.core.errors import NotFoundError
from countermark.core.reference import ImageReference
from interop.cosign_images import Place, push


@pytest.mark.parametrize("at_once", [1, 8])
def test_many_blobs_and_manifests(
    place: Place, slug: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = ImageReference.parse(f"{place.address}/{slug}/ahead").repository
    contents = [f"{slug} {number} ".encode() * 50 for number in range(48)]
    wanted = [(Digest.of(content), len(content)) for content in contents]
    for (digest, size), content in zip(wanted, contents, strict=True):
        place.client.put_blob(repository, digest, size, iter((content,)))
    path = f"{slug}/ahead"
    manifests = [push(place.client, place.address, path, f"{n}") for n in range(20)]
    alone: list[str] = []
    answer = RegistryRequests.answer

    def noted(self, repository, call, *good):  # type: ignore[no-untyped-def]
        alone.append(call.tail)
        return answer(self, repository, call, *good)

    monkeypatch.setattr(RegistryRequests, "answer", noted)
    assert place.client.many_blobs(repository, wanted, at_once) == contents
    found = place.client.many_manifests(repository, [(each, 500) for each in manifests], at_once)
    assert [Digest.of(each[0]) for each in found if isinstance(each, tuple)] == manifests
    assert alone == []

    missing = Digest.of(b"missing")
    *others, none = place.client.many_blobs(repository, [*wanted[:9], (missing, 7)], at_once)
    assert others == contents[:9]
    assert isinstance(none, NotFoundError)
    assert alone == [f"blobs/{missing}"]
