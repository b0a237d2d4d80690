"""Who may do what to the registry: users, everybody, nobody."""

import base64
import json

import bcrypt
import pytest

from countermark.core.ports_hosting import Request, Response
from countermark.services.access import Access
from countermark.services.passwords import Passwords
from countermark.services.registry.guard import guarded
from trust_server import Body, Time

USERS = f"alice:{bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}\n"
SECRET = b"k" * 32
ALICE = "Basic " + base64.b64encode(b"alice:right").decode()
MALLORY = "Basic " + base64.b64encode(b"alice:wrong").decode()


def status(
    method: str, target: str, login: str = "", *, users: bool = True, everybody_reads: bool = True
) -> int:
    clock = Time()
    passwords = Passwords(lambda: USERS, clock, SECRET) if users else None
    access = Access(passwords, clock, SECRET, everybody_reads=everybody_reads)
    asked: list[str] = []

    def handler(request: Request) -> Response:
        asked.append(request.path)
        return Response(status=200)

    path, _, query = target.partition("?")
    headers = {"host": "r.test"} | ({"authorization": login} if login else {})
    request = Request(method=method, path=path, query=query, headers=headers, body=Body(b""))
    answer = guarded(handler, access)(request)
    if answer.status == 401:
        assert not asked
        assert isinstance(answer.body, bytes)
        assert json.loads(answer.body)["errors"][0]["code"] == "UNAUTHORIZED"
        assert "WWW-Authenticate" in dict(answer.headers)
    return answer.status


MANIFEST, BLOBS = "/v2/team/app/manifests/v1", "/v2/team/app/blobs/uploads/"
CASES = [
    ("GET", MANIFEST, "", 200, 401),
    ("HEAD", MANIFEST, ALICE, 200, 200),
    ("GET", MANIFEST, MALLORY, 401, 401),
    ("PUT", MANIFEST, "", 401, 401),
    ("PUT", MANIFEST, ALICE, 200, 200),
    ("DELETE", MANIFEST, "", 401, 401),
    ("DELETE", MANIFEST, ALICE, 200, 200),
    ("POST", BLOBS, "", 401, 401),
    ("POST", BLOBS, ALICE, 200, 200),
    ("POST", f"{BLOBS}?mount=sha256:ab&from=other/app", ALICE, 200, 200),
    ("PATCH", f"{BLOBS}1", "", 401, 401),
    ("GET", "/v2/_catalog", "", 401, 401),
    ("GET", "/v2/_catalog", ALICE, 200, 200),
    ("GET", "/v2/", "", 401, 401),  # how clients find out that there are logins
    ("GET", "/v2/", ALICE, 200, 200),
    ("GET", "/nothing/here", "", 200, 200),  # the handler's to refuse
    ("POST", f"{BLOBS}?mount=sha256:ab&from=%", ALICE, 200, 200),  # likewise
]


@pytest.mark.parametrize(("method", "target", "login", "open_reading", "users_only"), CASES)
def test_who_may(method: str, target: str, login: str, open_reading: int, users_only: int) -> None:
    assert status(method, target, login) == open_reading
    assert status(method, target, login, everybody_reads=False) == users_only


@pytest.mark.parametrize(("method", "target"), [(m, t) for m, t, *_ in CASES])
def test_without_users_everybody_may_do_everything(method: str, target: str) -> None:
    assert status(method, target, users=False) == 200


def test_a_token_for_pulling_does_not_mount_from_elsewhere() -> None:
    """A scope names its repositories: what is mounted from another one is asked for too."""
    clock = Time()
    access = Access(Passwords(lambda: USERS, clock, SECRET), clock, SECRET, everybody_reads=False)
    # a token exists where everybody reads; here only logins do, so a forged one is refused
    headers = {"host": "r.test", "authorization": "Bearer AAAA"}
    request = Request(
        method="POST", path=BLOBS, query="mount=sha256:ab&from=x", headers=headers, body=Body(b"")
    )
    assert guarded(lambda _: Response(status=200), access)(request).status == 401
