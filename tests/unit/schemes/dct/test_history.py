"""When each tag got its digest, from the versions that the server still has."""

from datetime import timedelta

import pytest

from countermark.core.errors import UnavailableError
from countermark.schemes.dct.history import walk
from countermark.schemes.dct.repository import Loader
from world import GOOD, GUN, NOW, OTHER, RELEASES, Craft, MemoryCache, TrustShelf, meta


def published(*crafts: Craft) -> TrustShelf:
    """A server that has all versions; each was signed a day after the one before."""
    shelf = TrustShelf()
    for day, craft in enumerate(crafts):
        files = craft.files()
        shelf.files.update(files)
        for name in files:
            if name[0].isdigit():
                shelf.modified.setdefault(name, NOW + timedelta(days=day))
    return shelf


def events(shelf: TrustShelf, role: str = RELEASES) -> list[tuple[object, ...]]:
    collection = Loader(MemoryCache(), lambda _: None).load(GUN, shelf, NOW)
    found = walk(collection, shelf)
    return [(e.tag, e.digest, e.version, e.at, e.signed) for e in found if e.role == role]


def version(number: int, **tags: object) -> Craft:
    craft = Craft().released_by("alice")
    for _ in range(number - 1):
        craft.next(RELEASES)
    craft.tags[RELEASES] = {tag: meta(digest) for tag, digest in tags.items()}  # type: ignore[arg-type]
    return craft


DAYS = [NOW + timedelta(days=n) for n in range(4)]


def test_tags_come_move_and_go() -> None:
    shelf = published(
        version(1, v1=GOOD),
        version(2, v1=OTHER, v2=GOOD),
        version(3, v1=OTHER, v2=GOOD),
        version(4, v2=GOOD),
    )
    assert events(shelf) == [
        ("v1", GOOD, 1, DAYS[0], True),
        ("v1", OTHER, 2, DAYS[1], True),
        ("v2", GOOD, 2, DAYS[1], True),
        ("v1", None, 4, DAYS[3], True),
    ]


def test_a_version_that_is_gone_or_broken_is_passed_over() -> None:
    for lost in (None, b"<html>"):
        shelf = published(version(1, v1=GOOD), version(2, v1=OTHER), version(3, v1=OTHER))
        if lost is None:
            del shelf.files[f"2.{RELEASES}"]
        else:
            shelf.files[f"2.{RELEASES}"] = lost
        assert [e[1:3] for e in events(shelf)] == [(GOOD, 1), (OTHER, 3)]


def test_a_version_that_nobody_signed_is_shown_as_such() -> None:
    forged = version(1, v1=OTHER)
    forged.signers[RELEASES] = ("mallory",)
    shelf = published(version(1, v1=GOOD), version(2, v1=GOOD))
    shelf.files[f"1.{RELEASES}"] = forged.files()[RELEASES]
    assert [(e[1], e[4]) for e in events(shelf)] == [(OTHER, False), (GOOD, True)]


def test_the_owners_own_role() -> None:
    assert [e[:3] for e in events(published(Craft()), "targets")] == [("v1", GOOD, 1)]


def test_who_signs_chooses_a_version_but_not_how_long_we_ask() -> None:
    craft = version(2, v1=GOOD)
    craft.versions[RELEASES] = 2**40
    shelf = published(craft)
    assert [e[:3] for e in events(shelf)] == [("v1", GOOD, 2**40)]
    assert len(shelf.asked) < 1100


def test_a_server_that_goes_away_is_told() -> None:
    shelf = published(version(1, v1=GOOD))
    collection = Loader(MemoryCache(), lambda _: None).load(GUN, shelf, NOW)
    shelf.down = UnavailableError("connection refused")
    with pytest.raises(UnavailableError):
        list(walk(collection, shelf))
