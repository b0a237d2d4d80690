"""The API of a Notary server: routes, bodies, headers, logins, the changefeed, answers from memory."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from countermark.core.errors import (
    Code,
    InputError,
    KeyAccessError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_hosting import HeldKey, Request, Response, StoredFile
from countermark.formats.tuf import parse_snapshot, parse_timestamp
from countermark.services.access import Access
from trust_server import (
    BOUNDARY,
    GUN,
    Body,
    HostedNotary,
    MemoryServerKeys,
    MemoryTrustStore,
    multipart,
)

BASE = f"/v2/{GUN}/_trust/tuf/"
MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def error_body(code: str, message: str, detail: str = "") -> bytes:
    more = f',"detail":{detail}' if detail else ""
    return f'{{"errors":[{{"code":"{code}","message":"{message}"{more}}}]}}\n'.encode()


NOT_FOUND = error_body("METADATA_NOT_FOUND", "You have requested metadata that does not exist.")
NOT_STORED = error_body(
    "METADATA_NOT_FOUND", "You have requested metadata that does not exist.", "{}"
)
MALFORMED = error_body("MALFORMED_UPLOAD", "The body of your request is malformed.")
HUGE = "9" * 19 + "0"


# Errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v2/app/_trust/tuf/root.json", 404, NOT_STORED),
        ("GET", f"{BASE}targets/none.json", 404, NOT_STORED),
        ("GET", f"{BASE}root.{'a' * 64}.json", 404, NOT_STORED),
        ("GET", f"{BASE}root.{'a' * 96}.json", 404, NOT_STORED),
        ("GET", f"{BASE}root.{'a' * 128}.json", 404, NOT_STORED),
        ("GET", f"{BASE}root.{'a' * 63}.json", 404, NOT_FOUND),
        ("GET", f"{BASE}9.root.json", 404, NOT_STORED),
        (
            "GET",
            f"{BASE}{HUGE}.root.json",
            404,
            error_body(
                "METADATA_NOT_FOUND",
                "You have requested metadata that does not exist.",
                f'{{"Func":"Atoi","Num":"{HUGE}","Err":{{}}}}',
            ),
        ),
        ("GET", f"{BASE}other.json", 404, NOT_FOUND),
        ("GET", f"{BASE}targets.key", 404, NOT_FOUND),
        ("GET", "/v2/*/_trust/tuf/root.json", 404, NOT_FOUND),
        ("GET", BASE, 404, NOT_FOUND),
        ("POST", BASE[:-1], 404, NOT_FOUND),
        ("PUT", BASE, 404, NOT_FOUND),
        ("DELETE", f"{BASE}root.json", 404, NOT_FOUND),
        ("GET", "/elsewhere", 404, NOT_FOUND),
        ("PATCH", BASE, 405, b""),
        ("OPTIONS", f"{BASE}root.json", 405, b""),
        ("GET", f"/v2/{'g' * 256}/_trust/tuf/root.json", 404, NOT_FOUND),
        ("GET", "/v2/a\x07b/_trust/tuf/root.json", 404, NOT_FOUND),
        (
            "GET",
            "/v2/_trust/changefeed",
            400,
            error_body(
                "INVALID_PARAMETERS",
                "The parameters provided are not valid.",
                '"invalid records parameter: strconv.ParseInt: parsing \\"\\": invalid syntax"',
            ),
        ),
    ],
)
def test_error_bodies(method: str, path: str, status: int, body: bytes) -> None:
    hosted = HostedNotary()
    hosted.published()
    response = hosted.ask(method, path)
    assert (response.status, response.body) == (status, body)
    if body:
        assert response.headers == (("Content-Type", "application/json; charset=utf-8"),)


@pytest.mark.parametrize(
    ("name", "content", "body"),
    [
        ("", b"{}", error_body("NO_FILENAME", "No file/role name provided.")),
        (".json", b"{}", error_body("NO_FILENAME", "No file/role name provided.")),
        *(
            (
                role,
                b"{}",
                error_body(
                    "INVALID_ROLE",
                    "The role you are attempting to operate on is invalid.",
                    f'"{role}"',
                ),
            )
            for role in ("releases", "targets/../root", "targets/A", "targets/", "Root")
        ),
        *(
            (
                "targets",
                content,
                error_body(
                    "MALFORMED_JSON", "JSON sent by the client could not be parsed by the server"
                ),
            )
            for content in (
                b"",
                b"not json",
                b"[]",
                b'{"signed":{}}',
                b'{"signed":{"_type":"Targets","expires":"2030-01-01T00:00:00Z","version":"1"}}',
                b'{"signed":{"_type":"Targets","expires":"tomorrow","version":1}}',
                b'{"signed":{"_type":"Targets","expires":"2030-01-01T00:00:00Z","version":1}}x',
            )
        ),
        (
            "targets",
            b'{"signed":{"_type":"Targets","expires":"2030-01-01T00:00:00Z","version":0}}',
            error_body(
                "INVALID_UPDATE",
                "Update sent by the client is invalid.",
                '{"Name":"ErrBadTargets","Error":{"Msg":"targets type metadata invalid: '
                'version cannot be less than one"}}',
            ),
        ),
    ],
)
def test_bad_parts(name: str, content: bytes, body: bytes) -> None:
    hosted = HostedNotary()
    hosted.published()
    response = hosted.publish({name: content})
    assert (response.status, response.body) == (400, body)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/plain", multipart({"targets": b"{}"})),
        ("multipart/form-data", multipart({"targets": b"{}"})),
        ("multipart/form-data; boundary=" + "b" * 71, b""),
        (MULTIPART["content-type"], b""),
        (MULTIPART["content-type"], b"nothing of the kind"),
        (MULTIPART["content-type"], multipart({"targets": b"{}"})[:-4]),
        (MULTIPART["content-type"], multipart({"targets": b"{}"})[:40]),
        (MULTIPART["content-type"], multipart([("targets", b"{}")] * 257)),
    ],
)
def test_malformed_uploads(kind: str, content: bytes) -> None:
    hosted = HostedNotary()
    response = hosted.ask("POST", BASE, content, headers={"content-type": kind})
    assert (response.status, response.body) == (400, MALFORMED)


def test_a_body_that_breaks_off_or_is_too_large() -> None:
    class Broken(Body):
        def __init__(self, error: InputError) -> None:
            self._error = error

        def chunks(self):  # type: ignore[no-untyped-def]
            raise self._error

    for code, status in ((Code.MALFORMED, 400), (Code.TOO_LARGE, 413)):
        hosted = HostedNotary()
        body = Broken(InputError("x", code=code))
        request = Request(method="POST", path=BASE, query="", headers=MULTIPART, body=body)
        response = hosted.notary.answer(request)
        assert (response.status, response.body) == (status, MALFORMED)


def test_an_upload_in_small_pieces_with_json_suffix_and_slashes() -> None:
    hosted = HostedNotary()
    owner = hosted.owner()
    content = multipart({"root.json": owner.root(), "targets.json": owner.targets()})
    request = Request(
        method="POST", path=BASE, query="", headers=MULTIPART, body=Body(content, piece=7)
    )
    assert hosted.notary.answer(request).status == 200
    assert hosted.content("root.json") == owner.files["root"]


def test_a_hierarchy_error_names_what_is_missing() -> None:
    hosted = HostedNotary()
    owner = hosted.published(snapshot=False)
    response = hosted.publish({"targets": owner.targets()})
    assert response.body == error_body(
        "INVALID_UPDATE",
        "Update sent by the client is invalid.",
        '{"Name":"ErrBadHierarchy","Error":{"Missing":"snapshot","Msg":"no snapshot was included in '
        'update and server does not hold current snapshot key for repository"}}',
    )


def test_version_conflict_body() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    response = hosted.publish({"targets": owner.targets(1, days=7)})
    assert response.status == 400
    assert response.body == error_body(
        "VERSION", "A newer version of metadata is already available.", "{}"
    )


def test_error_bodies_fit_what_clients_read() -> None:
    """A Go client reads 1024 bytes of an error and understands it only whole."""
    hosted = HostedNotary()
    hosted.published()
    signed = f'"_type":"{chr(0x1F600) * 400}"' + ',"expires":"2030-01-01T00:00:00Z","version":2'
    response = hosted.publish({"targets": f'{{"signed":{{{signed}}}}}'.encode()})
    assert response.status == 400
    assert isinstance(response.body, bytes)
    assert len(response.body) <= 1024
    assert json.loads(response.body)["errors"][0]["detail"]["Name"] == "ErrBadTargets"


# Names ----------------------------------------------------------------------------------------------


def test_prefixes_come_before_everything_else() -> None:
    hosted = HostedNotary(gun_prefixes=["docker.io/", "my.io/team/"])
    outside = hosted.publish({}, gun="evil.io/app")
    assert outside.status == 400
    assert outside.body == error_body(
        "INVALID_GUN",
        "The server does not support actions on images of this name.",
        '"Require GUNs with prefix: [docker.io/ my.io/team/]"',
    )
    for method, name in (("GET", "root.json"), ("GET", "timestamp.key"), ("DELETE", "")):
        response = hosted.ask(method, f"/v2/evil.io/app/_trust/tuf/{name}")
        assert (response.status, response.body) == (404, NOT_FOUND)
    assert hosted.get("timestamp.key", gun="my.io/team/app").status == 200


@pytest.mark.parametrize("prefix", ["docker.io", "/a/", "a//b/", "../", "a/./", "/"])
def test_bad_prefixes(prefix: str) -> None:
    with pytest.raises(InputError, match="invalid GUN prefix") as caught:
        HostedNotary(gun_prefixes=[prefix])
    assert caught.value.code == Code.BAD_INPUT


@pytest.mark.parametrize("gun", ["g" * 256, "a\x00b", "a\nb"])
def test_impossible_names(gun: str) -> None:
    hosted = HostedNotary()
    response = hosted.publish({}, gun=gun)
    assert (response.status, response.body) == (
        400,
        error_body("INVALID_GUN", "The server does not support actions on images of this name."),
    )


def test_repositories_keep_apart() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    hosted.published(gun="other/app")
    digest = parse_snapshot(hosted.content("snapshot.json")).body.meta["root"].hashes["sha256"]
    assert hosted.get(f"root.{digest.hex()}.json", gun="other/app").status == 404
    assert hosted.get(f"targets.{digest.hex()}.json").status == 404
    assert hosted.content(f"root.{digest.hex()}.json") == owner.files["root"]
    assert hosted.get(f"root.{digest.hex().upper()}.json").status == 404


# Headers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["root", "targets", "snapshot", "timestamp"])
def test_headers_of_metadata(name: str) -> None:
    hosted = HostedNotary()
    hosted.published()
    current = "public, max-age=300, s-maxage=300, must-revalidate"
    fixed = "public, max-age=2592000, s-maxage=2592000"
    for path, caching in ((f"{name}.json", current), (f"1.{name}.json", fixed)):
        assert hosted.get(path).headers == (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", caching),
            ("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT"),
        )


def test_other_answers() -> None:
    hosted = HostedNotary()
    ping = hosted.ask("GET", "/v2/")
    assert (ping.status, ping.body) == (200, b"{}")
    assert ping.headers == (("Content-Type", "text/plain; charset=utf-8"),)
    key = hosted.ask("GET", f"{BASE}timestamp.key")
    assert isinstance(key.body, bytes)
    assert len(key.body) == 181
    assert key.body.startswith(b'{"keytype":"ecdsa","keyval":{"public":"')
    assert key.body.endswith(b'","private":null}}')
    owner = hosted.owner()
    assert hosted.publish({"root": owner.root(), "targets": owner.targets()}) == Response(
        status=200
    )
    assert hosted.ask("HEAD", f"{BASE}root.json").status == 200
    for _ in range(2):  # also when there is nothing
        assert hosted.ask("DELETE", BASE) == Response(status=200)
    assert hosted.get("root.json").status == 404


def test_keys_are_stable_until_they_are_used() -> None:
    hosted = HostedNotary()
    first = hosted.content("snapshot.key")
    assert hosted.content("snapshot.key") == first
    assert hosted.content("timestamp.key") != first
    assert hosted.content("snapshot.key", gun="other/app") != first


# Health and failures --------------------------------------------------------------------------------


class FailingStore(MemoryTrustStore):
    """A store that fails where it is told to."""

    failing: Exception | None = None

    def newest(self, gun: str, role: str) -> StoredFile | None:
        if self.failing:
            raise self.failing
        return super().newest(gun, role)

    def publish(self, files: Sequence[StoredFile], base: str, now: datetime) -> None:
        if self.failing:
            raise self.failing
        super().publish(files, base, now)

    def check(self) -> None:
        if self.failing:
            raise self.failing


def test_failures_of_the_store_say_nothing_of_it_outside() -> None:
    store = FailingStore()
    hosted = HostedNotary(store=store)
    owner = hosted.published()
    store.failing = StorageError("disk /srv/secret is full", code=Code.NO_SPACE)
    for response, body in (
        (
            hosted.publish({"targets": owner.targets()}),
            error_body("UPDATING", "An error has occurred while updating the TUF repository."),
        ),
        (hosted.get("root.json"), error_body("UNKNOWN", "unknown error")),
    ):
        assert (response.status, response.body) == (500, body)
        assert response.problem == "no-space: disk /srv/secret is full"
    assert hosted.ask("GET", "/_notary_server/health").status == 503
    store.failing = None
    assert hosted.ask("GET", "/_notary_server/health").body == b"{}"
    store.failing = UnavailableError("busy")
    with pytest.raises(UnavailableError):  # the server says 503 and when to come back
        hosted.get("root.json")


def test_keys_that_cannot_be_opened() -> None:
    class Locked(MemoryServerKeys):
        def pending(self, gun: str, role: str, now: datetime) -> HeldKey:
            raise KeyAccessError("a sealed secret does not open with this master key")

    response = HostedNotary(keys=Locked()).get("timestamp.key")
    assert (response.status, response.body) == (
        500,
        error_body("NO_CRYPTOSERVICE", "The server does not have a signing service configured."),
    )


# Signed anew ----------------------------------------------------------------------------------------


def test_snapshot_and_timestamp_are_signed_anew_at_half_of_their_life() -> None:
    hosted = HostedNotary()
    hosted.published()
    first = hosted.content("timestamp.json")
    hosted.clock.move(days=7, seconds=-1)
    assert hosted.content("timestamp.json") == first
    hosted.clock.move(seconds=2)
    second = parse_timestamp(hosted.content("timestamp.json"))
    assert second.body.version == 2
    assert second.body.expires_at == hosted.clock() + timedelta(days=14)
    assert parse_snapshot(hosted.content("snapshot.json")).body.version == 1
    hosted.clock.move(days=600)
    snapshot = parse_snapshot(hosted.content("snapshot.json"))
    assert snapshot.body.version == 2
    timestamp = parse_timestamp(hosted.content("timestamp.json"))
    timestamp.body.meta["snapshot"].check(snapshot.content, "snapshot")
    assert timestamp.body.version == 3
    assert hosted.content("1.timestamp.json") == first
    assert [entry.version for entry in hosted.store.changes("", 0, 10)] == [1, 2, 3]


def test_a_snapshot_of_the_owner_is_served_expired() -> None:
    hosted = HostedNotary()
    owner = hosted.published(snapshot=False)
    hosted.clock.move(days=2000)
    assert hosted.content("snapshot.json") == owner.files["snapshot"]
    assert parse_timestamp(hosted.content("timestamp.json")).body.version == 2


# The changefeed -------------------------------------------------------------------------------------


def feed(hosted: HostedNotary, query: str, gun: str = "") -> list[tuple[str, str, int, str]]:
    path = f"/v2/{gun}/_trust/changefeed" if gun else "/v2/_trust/changefeed"
    response = hosted.ask("GET", path, query=query)
    assert response.status == 200, response
    assert isinstance(response.body, bytes)
    found = json.loads(response.body)
    assert found["count"] == len(found["records"])
    return [(r["ID"], r["GUN"], r["Version"], r["Category"]) for r in found["records"]]


def test_changefeed() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    hosted.published(gun="b/app")
    assert hosted.publish({"targets": owner.targets()}).status == 200
    hosted.ask("DELETE", "/v2/b/app/_trust/tuf/")
    hosted.ask("DELETE", "/v2/never/there/_trust/tuf/")
    one, two = ("1", GUN, 1, "update"), ("2", "b/app", 1, "update")
    three, four = ("3", GUN, 2, "update"), ("4", "b/app", 0, "deletion")
    for query, expected in {
        "records=0": [one, two, three, four],
        "records=2": [one, two],
        "records=2&change_id=2": [three, four],
        "records=2&change_id=": [one, two],
        "records=-2": [three, four],
        "records=-2&change_id=3": [one, two],
        "records=2&change_id=-1": [three, four],
        "records=5&change_id=4": [],
        "records=2147483647": [one, two, three, four],
    }.items():
        assert feed(hosted, query) == expected, query
    assert feed(hosted, "records=9", gun="b/app") == [two, four]
    body = hosted.ask("GET", "/v2/_trust/changefeed", query="records=1").body
    digest = hosted.store.changes("", 0, 1)[0].sha256
    record = f'"ID":"1","CreatedAt":"2026-03-01T12:00:00.123456Z","GUN":"{GUN}","Version":1'
    more = f'"SHA256":"{digest}","Category":"update"'
    assert body == f'{{"count":1,"records":[{{{record},{more}}}]}}'.encode()


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "records=x",
            r'"invalid records parameter: strconv.ParseInt: parsing \"x\": invalid syntax"',
        ),
        (
            "records=2147483648",
            r'"invalid records parameter: strconv.ParseInt: parsing \"2147483648\": value out of range"',
        ),
        ("records=1&change_id=x", "{}"),
        ("records=1&change_id=99999999999", "{}"),
    ],
)
def test_changefeed_parameters(query: str, detail: str) -> None:
    response = HostedNotary().ask("GET", "/v2/_trust/changefeed", query=query)
    expected = error_body("INVALID_PARAMETERS", "The parameters provided are not valid.", detail)
    assert (response.status, response.body) == (400, expected)


# Answers from memory --------------------------------------------------------------------------------


def test_what_was_read_once_is_answered_from_memory_until_it_changes() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    digest = parse_snapshot(hosted.content("snapshot.json")).body.meta["targets"].hashes["sha256"]
    names = ["root", "timestamp", "snapshot", "targets", f"targets.{digest.hex()}", "1.root"]
    paths = [f"{BASE}{name}.json" for name in names]
    for path in paths:
        hosted.ask("GET", path)
        slow = hosted.ask("GET", path)
        hot = hosted.notary.hot(path, "")
        assert hot is not None
        assert (hot.status, hot.body) == (slow.status, slow.body)
        sent = dict(hot.headers)
        assert sent[b"content-length"] == str(len(hot.body)).encode()
        assert sent.items() >= {(n.lower().encode(), v.encode()) for n, v in slow.headers}
    assert hosted.publish({"targets": owner.targets()}).status == 200
    for path in paths:
        assert hosted.notary.hot(path, "") is None
    assert hosted.notary.hot(f"{BASE}never.json", "") is None
    assert hosted.ask("GET", f"{BASE}targets.json").body == owner.files["targets"]
    hosted.ask("DELETE", BASE)
    for path in paths:
        assert hosted.notary.hot(path, "") is None


def test_memory_knows_when_a_timestamp_is_due() -> None:
    hosted = HostedNotary()
    hosted.published()
    hosted.content("timestamp.json")
    hosted.content("targets.json")
    assert hosted.notary.hot(f"{BASE}timestamp.json", "") is not None
    hosted.clock.move(days=8)
    assert hosted.notary.hot(f"{BASE}timestamp.json", "") is None
    assert hosted.notary.hot(f"{BASE}targets.json", "") is not None


# Logins ---------------------------------------------------------------------------------------------


class Refusing(Access):
    """Lets nobody do anything, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    @property
    def everybody_reads(self) -> bool:
        return False

    def reads_at_once(self, authorization: str) -> bool:
        return False

    def refusal(self, request, repository, actions):  # type: ignore[no-untyped-def]
        self.asked.append((repository, tuple(actions)))
        return (("WWW-Authenticate", 'Basic realm="countermark"'),)


@pytest.mark.parametrize(
    ("method", "path", "repository", "actions"),
    [
        ("GET", "/v2/", "", ()),
        ("GET", f"{BASE}root.json", GUN, ("pull",)),
        ("HEAD", f"{BASE}root.json", GUN, ("pull",)),
        ("GET", f"{BASE}1.root.json", GUN, ("pull",)),
        ("GET", f"{BASE}root.{'0' * 64}.json", GUN, ("pull",)),
        ("GET", f"{BASE}timestamp.key", GUN, ("push", "pull")),
        ("POST", BASE, GUN, ("push", "pull")),
        ("POST", f"{BASE}snapshot.key", GUN, ("*",)),
        ("DELETE", BASE, GUN, ("*",)),
        ("GET", f"/v2/{GUN}/_trust/changefeed", GUN, ("pull",)),
        ("GET", "/v2/_trust/changefeed", "", ("*",)),
        ("GET", "/anything", "", ()),
    ],
)
def test_who_may(method: str, path: str, repository: str, actions: tuple[str, ...]) -> None:
    access = Refusing()
    hosted = HostedNotary(access=access)
    response = hosted.ask(method, path)
    assert response.status == 401
    assert ("WWW-Authenticate", 'Basic realm="countermark"') in response.headers
    assert access.asked == [(repository, actions)]
    assert isinstance(response.body, bytes)
    error = json.loads(response.body)["errors"][0]
    assert (error["code"], error["message"]) == ("UNAUTHORIZED", "authentication required")
    kind, name = ("repository", repository) if repository else ("registry", "catalog")
    assert error["detail"] == [
        {"Type": kind, "Class": "", "Name": name, "Action": action} for action in actions or ("*",)
    ]


def test_health_needs_no_login() -> None:
    assert HostedNotary(access=Refusing()).ask("GET", "/_notary_server/health").status == 200


def test_paths_of_the_service() -> None:
    notary = HostedNotary().notary
    assert notary.serves(f"{BASE}root.json")
    assert notary.serves("/v2/_trust/changefeed")
    assert notary.serves("/_notary_server/health")
    assert not notary.serves("/v2/")
    assert not notary.serves("/v2/app/manifests/latest")
