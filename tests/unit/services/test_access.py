"""Who may read and write, in each of the three ways to run, and how clients are told."""

import base64
import json
from collections.abc import Sequence

import bcrypt
import pytest

from countermark.core.errors import Code, ConfigError, InputError, UnavailableError
from countermark.core.ports_hosting import Request, Response
from countermark.services.access import TOKEN_PATH, Access, check_start
from countermark.services.passwords import Passwords, parse_users
from trust_server import Body, Time

HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
USERS = f"# people\n\nalice:{HASH}\n"
SECRET = b"k" * 32


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


ALICE = basic("alice", "right")


class World:
    """One server's access, with a file of users that can be changed."""

    def __init__(self, *, everybody_reads: bool, users: str | None = USERS) -> None:
        self.clock = Time()
        self.text = users or ""
        self.reads = 0
        self.passwords = Passwords(self._read, self.clock, SECRET) if users is not None else None
        self.access = Access(self.passwords, self.clock, SECRET, everybody_reads=everybody_reads)

    def _read(self) -> str:
        self.reads += 1
        return self.text

    def refusal(
        self, repository: str, actions: Sequence[str], authorization: str = "", client: str = "c"
    ) -> str | None:
        """What the client is told, None where it may."""
        headers = {"host": "trust.example.test:5443"}
        if authorization:
            headers["authorization"] = authorization
        request = Request(
            method="GET", path="/", query="", headers=headers, body=Body(b""), client=client
        )
        found = self.access.refusal(request, repository, actions)
        if found is None:
            return None
        ((name, value),) = found
        assert name == "WWW-Authenticate"
        return value

    def token(self, query: str, authorization: str = "", method: str = "GET") -> Response:
        headers = {"authorization": authorization} if authorization else {}
        return self.access.answer(
            Request(method=method, path=TOKEN_PATH, query=query, headers=headers, body=Body(b""))
        )

    def bearer(self, query: str, authorization: str = "") -> str:
        response = self.token(query, authorization)
        assert response.status == 200
        assert isinstance(response.body, bytes)
        return "Bearer " + str(json.loads(response.body)["token"])


BASIC = 'Basic realm="countermark"'
BEARER = (
    'Bearer realm="https://trust.example.test:5443/auth/token",service="trust.example.test:5443"'
)


# Ways to run ----------------------------------------------------------------------------------------


def test_without_users_everybody_may_do_everything() -> None:
    world = World(everybody_reads=False, users=None)
    for actions in ((), ("pull",), ("push", "pull"), ("*",)):
        assert world.refusal("app", actions) is None
        assert world.refusal("app", actions, basic("who", "ever")) is None
    assert world.access.reads_at_once("")
    assert world.access.everybody_reads
    assert world.token("").status == 404


@pytest.mark.parametrize(
    ("authorization", "refused"),
    [
        ("", True),
        (ALICE, False),
        (ALICE.replace("Basic", "bAsIc"), False),
        (basic("alice", "wrong"), True),
        (basic("alice", ""), True),
        (basic("alice", "right\0"), True),
        (basic("bob", "right"), True),
        (basic("", "right"), True),
        ("Basic !!!", True),
        ("Basic " + base64.b64encode(b"alice").decode(), True),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), True),
        ("Bearer x", True),
        ("Digest x", True),
    ],
)
def test_users_only(authorization: str, refused: bool) -> None:
    world = World(everybody_reads=False)
    for repository, actions in (
        ("", ()),
        ("app", ("pull",)),
        ("app", ("push", "pull")),
        ("", ("*",)),
    ):
        expected = BASIC if refused else None
        assert world.refusal(repository, actions, authorization) == expected
    assert world.access.reads_at_once(authorization) is not refused
    assert world.token("", ALICE).status == 404  # nobody is sent there


def test_everybody_reads_and_users_write() -> None:
    world = World(everybody_reads=True)
    assert world.refusal("app", ("pull",)) is None
    assert world.access.reads_at_once("")
    # clients learn from /v2/ that tokens are to be had, whoever they are
    assert world.refusal("", ()) == BEARER
    assert world.refusal("app", ("push", "pull")) == BEARER + ',scope="repository:app:push,pull"'
    assert world.refusal("", ("*",)) == BEARER
    for repository, actions in (("app", ("push", "pull")), ("app", ("*",)), ("", ()), ("", ("*",))):
        assert world.refusal(repository, actions, ALICE) is None
        assert world.refusal(repository, actions, basic("alice", "wrong")) is not None


# Tokens ---------------------------------------------------------------------------------------------

PUSH = "service=s&scope=repository%3Alocalhost%3A5000%2Fapp%3Apush%2Cpull"
NAME = "localhost:5000/app"


def test_a_token_of_nobody_is_good_for_reading() -> None:
    world = World(everybody_reads=True)
    token = world.bearer(PUSH)
    assert world.refusal("", (), token) is None
    assert world.refusal(NAME, ("pull",), token) is None
    assert world.refusal(NAME, ("push", "pull"), token) == (
        BEARER + f',scope="repository:{NAME}:push,pull",error="insufficient_scope"'
    )
    assert world.refusal("", ("*",), token) == BEARER + ',error="insufficient_scope"'


def test_a_token_of_a_user_is_good_for_what_it_was_asked_for() -> None:
    world = World(everybody_reads=True)
    token = world.bearer(PUSH, ALICE)
    assert world.refusal(NAME, ("push", "pull"), token) is None
    assert world.refusal("other", ("push",), token) is not None
    assert world.refusal(NAME, ("*",), token) is not None
    several = world.bearer("scope=repository:a:*&scope=repository:b:push,pull", ALICE)
    assert world.refusal("a", ("*",), several) is None
    assert world.refusal("a", ("push", "pull"), several) is None  # notary publishes a rotation so
    assert world.refusal("b", ("push", "pull"), several) is None
    both = world.bearer("scope=repository:a:push+repository:b:push", ALICE)
    assert world.refusal("b", ("push",), both) is None
    catalogue = world.bearer("scope=registry:catalog:*", ALICE)
    assert world.refusal("", ("*",), catalogue) is None
    assert world.refusal("", ("*",), world.bearer("scope=registry:catalog:*")) is not None


def test_a_token_ends_and_cannot_be_made_or_changed() -> None:
    world = World(everybody_reads=True)
    token = world.bearer(PUSH, ALICE)
    invalid = BEARER + f',scope="repository:{NAME}:push",error="invalid_token"'
    raw = bytearray(base64.urlsafe_b64decode(token[7:]))
    raw[-3] ^= 1
    changed = "Bearer " + base64.urlsafe_b64encode(raw).decode()
    for bad in (changed, "Bearer ", "Bearer x", "Bearer " + "A" * 64, token[:-4]):
        assert world.refusal(NAME, ("push",), bad) == invalid
    foreign = Access(world.passwords, world.clock, b"other" * 8, everybody_reads=True)
    world.access, ours = foreign, world.access
    assert world.refusal(NAME, ("push",), token) == invalid
    world.access = ours
    world.clock.move(seconds=299)
    assert world.refusal(NAME, ("push",), token) is None
    world.clock.move(seconds=1)
    assert world.refusal(NAME, ("push",), token) == invalid


def test_the_token_endpoint() -> None:
    world = World(everybody_reads=True)
    response = world.token(PUSH, ALICE)
    assert dict(response.headers)["Cache-Control"] == "no-store"
    assert isinstance(response.body, bytes)
    found = json.loads(response.body)
    assert found["token"] == found["access_token"]
    assert (found["expires_in"], found["issued_at"]) == (300, "2026-03-01T12:00:00Z")
    for bad in (basic("alice", "wrong"), "Bearer x", world.bearer(PUSH, ALICE)):
        refused = world.token(PUSH, bad)
        assert refused.status == 401
        assert ("WWW-Authenticate", BASIC) in refused.headers
    assert world.token(PUSH, method="POST").status == 405
    with pytest.raises(InputError):
        world.token("&".join(f"a{n}=1" for n in range(100)))
    assert world.access.serves(TOKEN_PATH)
    assert not world.access.serves("/v2/")


@pytest.mark.parametrize("host", ["", 'a"b', "a b", "a\r\nX: y", "a/b", "a?b", "ä"])
def test_a_challenge_repeats_no_strange_host(host: str) -> None:
    world = World(everybody_reads=True)
    request = Request(
        method="GET", path="/", query="", headers={"host": host}, body=Body(b""), client="c"
    )
    with pytest.raises(InputError):
        world.access.refusal(request, "", ())


# Passwords ------------------------------------------------------------------------------------------


def test_a_changed_file_is_noticed() -> None:
    world = World(everybody_reads=False)
    assert world.refusal("app", ("push",), ALICE) is None
    world.text = USERS.replace(HASH, bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode())
    world.clock.move(seconds=3)
    assert world.refusal("app", ("push",), ALICE) == BASIC  # remembered or not
    assert not world.access.reads_at_once(ALICE)
    assert world.refusal("app", ("push",), basic("alice", "new")) is None
    world.text = ""
    world.clock.move(seconds=3)
    assert world.refusal("app", ("push",), basic("alice", "new")) == BASIC


def test_who_was_just_given_an_account_may_use_it_at_once() -> None:
    world = World(everybody_reads=False, users="")
    assert world.refusal("app", ("push",), ALICE) == BASIC
    world.text = USERS
    assert world.refusal("app", ("push",), ALICE) is None
    world.text = USERS.replace(HASH, bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode())
    assert world.refusal("app", ("push",), basic("alice", "new")) is None


def test_a_file_that_is_broken_meanwhile_lets_nobody_in() -> None:
    world = World(everybody_reads=False)
    world.text = "alice"
    world.clock.move(seconds=3)
    with pytest.raises(UnavailableError):
        world.refusal("app", ("push",), ALICE)
    world.text = USERS
    assert world.refusal("app", ("push",), ALICE) is None


def test_a_right_password_is_remembered_for_a_while_and_the_file_not_read_each_time() -> None:
    world = World(everybody_reads=False)
    assert world.passwords is not None
    assert not world.passwords.known("alice", "right")
    assert world.passwords.right("alice", "right", "c")
    assert world.passwords.known("alice", "right")
    assert not world.passwords.known("alice", "wrong")
    reads = world.reads
    for _ in range(50):
        assert world.refusal("app", ("push",), ALICE) is None
    assert world.reads == reads
    world.clock.move(seconds=301)
    assert not world.passwords.known("alice", "right")


def test_guessing_is_stopped_for_a_minute() -> None:
    world = World(everybody_reads=False)
    for _ in range(20):
        assert world.refusal("app", ("push",), basic("alice", "wrong"), "1.2.3.4") == BASIC
    with pytest.raises(UnavailableError) as caught:
        world.refusal("app", ("push",), ALICE, "1.2.3.4")
    assert caught.value.http_status == 503
    assert world.refusal("app", ("push",), ALICE, "5.6.7.8") is None  # others are not locked out
    assert world.refusal("app", ("push",), ALICE, "1.2.3.4") is None  # what is known to be right is
    world.clock.move(seconds=61)
    assert world.refusal("app", ("push",), basic("alice", "wrong"), "1.2.3.4") == BASIC


def test_passwords_beyond_what_bcrypt_sees() -> None:
    long = "x" * 72
    world = World(everybody_reads=False, users=None)
    hashed = bcrypt.hashpw(long.encode(), bcrypt.gensalt(4)).decode()
    world = World(everybody_reads=False, users=f"bob:{hashed}")
    assert world.refusal("app", ("push",), basic("bob", long + "ignored")) is None
    assert world.refusal("app", ("push",), basic("bob", long[:-1])) == BASIC


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        f":{HASH}",
        "alice:secret",
        "alice:$apr1$abcdefgh$0123456789012345678901",
        "alice:{SHA}0123456789012345678901234567",
        f"alice:{HASH[:-1]}",
        f"alice:{HASH}:more",
        f"alice:$2y$31${HASH[7:]}",
        f"alice:{HASH}\nalice:{HASH}",
    ],
    ids=range(9),  # the hash is another in each process
)
def test_files_that_are_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_users("# first\n" + text, "users")
    assert caught.value.code == Code.BAD_CONFIG
    assert caught.value.file == "users"
    assert caught.value.line in (2, 3)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError):
        World(everybody_reads=False, users=text)


def test_prefixes_of_bcrypt_that_htpasswd_writes() -> None:
    for prefix in ("2a", "2b", "2y"):
        world = World(everybody_reads=False, users=f"a:${prefix}{HASH[3:]}\r\n")
        assert world.refusal("app", ("push",), basic("a", "right")) is None


# Starting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loopback", "users", "allow", "refused"),
    [
        (True, False, False, False),
        (False, True, False, False),
        (False, False, True, False),
        (False, False, False, True),
    ],
)
def test_nobody_opens_a_server_to_the_world_by_accident(
    loopback: bool, users: bool, allow: bool, refused: bool
) -> None:
    if not refused:
        check_start("0.0.0.0", loopback=loopback, users=users, allow_anonymous_write=allow)
        return
    with pytest.raises(InputError) as caught:
        check_start("0.0.0.0", loopback=loopback, users=users, allow_anonymous_write=allow)
    assert caught.value.code == Code.INSECURE
    assert "--allow-anonymous-write" in caught.value.hint
