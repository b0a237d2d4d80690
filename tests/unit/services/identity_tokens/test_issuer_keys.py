"""Issuers' keys: found, remembered, asked for again; and what strangers' tokens cannot make us do."""

import threading
from datetime import datetime

import pytest

from countermark.core import limits
from countermark.core.errors import Code, UnavailableError
from countermark.formats import strict_json
from countermark.proofs import token_keys
from countermark.services.identity_tokens.issuer_keys import IssuerKeys
from identity import NOW, Documents, Time

URL = "https://issuer.example.com/realm"
DISCOVERY = f"{URL}/.well-known/openid-configuration"
PLACE = "https://keys.example.com/jwks"
FIRST, SECOND = token_keys.generate(), token_keys.generate()


def discovery(**changes: object) -> bytes:
    return strict_json.compact({"issuer": URL, "jwks_uri": PLACE, **changes})


class World:
    """An issuer's documents, and a clock."""

    def __init__(self) -> None:
        self.clock = Time()
        self.documents = Documents(
            {DISCOVERY: discovery(), PLACE: token_keys.encode_key_set([FIRST])}
        )
        self.keys = IssuerKeys(self.documents)

    def ids(self, key_id: str = "", url: str = URL) -> list[str]:
        return [key.id for key in self.keys.keys(url, key_id, self.clock.now)]

    def rotate(self) -> None:
        self.documents.files[PLACE] = token_keys.encode_key_set([FIRST, SECOND])

    @property
    def rounds(self) -> int:
        return self.documents.asked.count(DISCOVERY)


def test_keys_are_found_and_remembered() -> None:
    world = World()
    assert world.ids() == world.ids(FIRST.id) == [FIRST.id]
    assert world.documents.asked == [DISCOVERY, PLACE]


def test_a_slash_at_the_end_does_not_double() -> None:
    documents = Documents(
        {
            DISCOVERY: strict_json.compact({"issuer": f"{URL}/", "jwks_uri": PLACE}),
            PLACE: token_keys.encode_key_set([FIRST]),
        }
    )
    assert IssuerKeys(documents).keys(f"{URL}/", "", NOW)[0].id == FIRST.id


def test_keys_are_asked_for_again_after_an_hour() -> None:
    world = World()
    world.ids()
    world.rotate()
    world.clock.forward(limits.KEY_SET_SECONDS - 1)
    assert world.ids() == [FIRST.id]
    world.clock.forward(1)
    assert world.ids() == [FIRST.id, SECOND.id]


def test_a_new_key_is_looked_for_once_a_minute() -> None:
    world = World()
    world.ids()
    world.rotate()
    assert world.ids(SECOND.id) == [FIRST.id]  # asked a moment ago
    world.clock.forward(limits.KEY_SET_REFRESH_SECONDS)
    assert world.ids(SECOND.id) == [FIRST.id, SECOND.id]


def test_made_up_keys_make_one_request_a_minute() -> None:
    world = World()
    for number in range(1_000):
        world.ids(f"made-up-{number}")
    assert world.rounds == 1
    world.clock.forward(limits.KEY_SET_REFRESH_SECONDS)
    for number in range(1_000):
        world.ids(f"made-up-{number}")
    assert world.rounds == 2


def test_an_issuer_out_of_reach_keeps_its_keys_for_a_day() -> None:
    world = World()
    world.ids()
    world.documents.files[DISCOVERY] = UnavailableError("connection refused")
    world.clock.forward(limits.KEY_SET_STALE_SECONDS - 1)
    assert world.ids() == [FIRST.id]
    world.clock.forward(1)
    with pytest.raises(UnavailableError) as caught:
        world.ids()
    assert caught.value.code == Code.UNAVAILABLE


def test_an_issuer_that_never_answered_is_asked_again_soon() -> None:
    world = World()
    world.documents.files[DISCOVERY] = UnavailableError("connection refused")
    for _ in range(10):
        with pytest.raises(UnavailableError, match="no keys of issuer"):
            world.ids()
    assert world.rounds == 1
    world.documents.files[DISCOVERY] = discovery()
    world.clock.forward(5)
    assert world.ids() == [FIRST.id]


def test_a_clock_that_is_set_back_asks_again() -> None:
    world = World()
    world.ids()
    world.rotate()
    world.clock.forward(-3_600)
    assert world.ids() == [FIRST.id, SECOND.id]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (DISCOVERY, b"<html>"),
        (DISCOVERY, b"[]"),
        (DISCOVERY, discovery(issuer="https://evil.example.com")),
        (DISCOVERY, discovery(issuer=f"{URL}/")),
        (DISCOVERY, discovery(issuer=None)),
        (DISCOVERY, discovery(jwks_uri="http://keys.example.com/jwks")),
        (DISCOVERY, discovery(jwks_uri="http://127.0.0.1:8500/v1/kv")),
        (DISCOVERY, discovery(jwks_uri="file:///etc/passwd")),
        (DISCOVERY, discovery(jwks_uri="https://nowhere.example.com/jwks")),
        (DISCOVERY, discovery(jwks_uri=7)),
        (PLACE, b"{}"),
        (PLACE, b"no json"),
    ],
    ids=range(12),
)
def test_documents_that_are_not_believed(file: str, content: bytes) -> None:
    world = World()
    for place in ("http://keys.example.com/jwks", "http://127.0.0.1:8500/v1/kv"):
        world.documents.files[place] = token_keys.encode_key_set([FIRST])
    world.documents.files[file] = content
    with pytest.raises(UnavailableError, match="no keys of issuer"):
        world.ids()


def test_an_issuer_on_this_machine_may_do_without_tls() -> None:
    url = "http://localhost:8080"
    documents = Documents(
        {
            f"{url}/.well-known/openid-configuration": strict_json.compact(
                {"issuer": url, "jwks_uri": f"{url}/keys"}
            ),
            f"{url}/keys": token_keys.encode_key_set([FIRST]),
        }
    )
    assert len(IssuerKeys(documents).keys(url, "", NOW)) == 1


def test_the_issuers_own_ca_is_believed_for_its_documents() -> None:
    world = World()
    world.keys.keys(URL, "", NOW, "a certificate")
    assert world.documents.believed == ["a certificate", "a certificate"]


def test_our_own_issuer_is_not_asked_over_http() -> None:
    kept = {"set": token_keys.encode_key_set([FIRST])}
    documents = Documents()
    keys = IssuerKeys(documents, {URL: lambda: kept["set"]})
    assert [key.id for key in keys.keys(URL, "", NOW)] == [FIRST.id]
    kept["set"] = token_keys.encode_key_set([FIRST, SECOND])
    assert [key.id for key in keys.keys(URL, SECOND.id, NOW)] == [FIRST.id, SECOND.id]
    assert documents.asked == []


def test_so_many_issuers_are_remembered() -> None:
    """A pattern lets a token name any number of them."""
    world = World()
    world.ids()
    for number in range(limits.ISSUERS_KNOWN):
        with pytest.raises(UnavailableError):
            world.ids(url=f"https://{number}.example.com")
    assert len(world.keys._known) == limits.ISSUERS_KNOWN
    world.ids()
    assert world.rounds == 2  # it was forgotten, and asked again


class SlowDocuments(Documents):
    """Answers when it is told to; ``asking`` is set once somebody waits."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self.asking, self.go = threading.Event(), threading.Event()
        self.slow = False
        self.waiting: list[str] = []

    def fetch(self, url: str, max_bytes: int, ca_certificates: str = "") -> bytes:
        if self.slow:
            self.waiting.append(url)
            self.asking.set()
            assert self.go.wait(20)
        return super().fetch(url, max_bytes, ca_certificates)


def test_while_one_asks_the_others_go_on_with_what_is_known() -> None:
    documents = SlowDocuments({DISCOVERY: discovery(), PLACE: token_keys.encode_key_set([FIRST])})
    keys, clock = IssuerKeys(documents), Time()
    keys.keys(URL, "", clock.now)
    documents.slow = True
    clock.forward(limits.KEY_SET_SECONDS)
    later: datetime = clock.now
    first = threading.Thread(target=lambda: keys.keys(URL, "", later))
    first.start()
    assert documents.asking.wait(20)
    # this one would wait for ever if it asked, or waited for the first
    assert [key.id for key in keys.keys(URL, "", later)] == [FIRST.id]
    documents.go.set()
    first.join(20)
    assert documents.asked.count(DISCOVERY) == 2


def test_who_waited_for_another_asks_no_second_time() -> None:
    documents = SlowDocuments({DISCOVERY: discovery(), PLACE: token_keys.encode_key_set([FIRST])})
    documents.slow = True
    keys, found = IssuerKeys(documents), []
    threads = [
        threading.Thread(target=lambda: found.append(keys.keys(URL, "", NOW))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert documents.asking.wait(20)
    documents.go.set()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert documents.asked == [DISCOVERY, PLACE]


def test_who_waits_too_long_is_told() -> None:
    documents = SlowDocuments({DISCOVERY: discovery(), PLACE: token_keys.encode_key_set([FIRST])})
    documents.slow = True
    keys = IssuerKeys(documents, wait_seconds=0.01)
    first = threading.Thread(target=lambda: keys.keys(URL, "", NOW))
    first.start()
    assert documents.asking.wait(20)
    with pytest.raises(UnavailableError, match="no keys of issuer"):
        keys.keys(URL, "", NOW)
    documents.go.set()
    first.join(20)


def test_a_few_issuers_are_asked_at_once() -> None:
    urls = [f"https://{number}.example.com" for number in range(limits.ISSUER_FETCHES)]
    documents = SlowDocuments({DISCOVERY: discovery(), PLACE: token_keys.encode_key_set([FIRST])})
    keys, clock = IssuerKeys(documents, wait_seconds=0.01), Time()
    keys.keys(URL, "", clock.now)
    documents.slow = True
    clock.forward(limits.KEY_SET_SECONDS)
    now: datetime = clock.now
    begun = threading.Semaphore(0)

    def ask(url: str) -> None:
        begun.release()
        with pytest.raises(UnavailableError):
            keys.keys(url, "", now)

    threads = [threading.Thread(target=ask, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire()
    while len(documents.waiting) < len(urls):
        assert documents.asking.wait(20)
    with pytest.raises(UnavailableError, match="too many issuers"):
        keys.keys("https://one-more.example.com", "", now)
    assert [key.id for key in keys.keys(URL, "", now)] == [FIRST.id]  # what is known will do
    documents.go.set()
    for thread in threads:
        thread.join(20)
