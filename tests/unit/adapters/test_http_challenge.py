"""WWW-Authenticate, whatever is in it."""

import pytest

from countermark.adapters.http_challenge import Challenge, parse_challenges

BEARER = Challenge(
    scheme="bearer",
    parameters={"realm": "https://a.test/token", "service": "s", "scope": "repository:x:pull,push"},
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ['Bearer realm="https://a.test/token",service="s",scope="repository:x:pull,push"'],
            (BEARER,),
        ),
        (
            ['BEARER Realm = "https://a.test/token" , service=s, scope="repository:x:pull,push"'],
            (BEARER,),
        ),
        (
            ['Basic realm="Registry, \\"private\\""'],
            (Challenge(scheme="basic", parameters={"realm": 'Registry, "private"'}),),
        ),
        (["Basic"], (Challenge(scheme="basic"),)),
        (
            ['Negotiate, Basic realm="x"', "Bearer realm=y"],
            (
                Challenge(scheme="negotiate"),
                Challenge(scheme="basic", parameters={"realm": "x"}),
                Challenge(scheme="bearer", parameters={"realm": "y"}),
            ),
        ),
        (['Bearer realm="a",realm="b"'], (Challenge(scheme="bearer", parameters={"realm": "a"}),)),
        (['Bearer realm="a'], (Challenge(scheme="bearer", parameters={"realm": "a"}),)),
        (["Bearer realm="], (Challenge(scheme="bearer", parameters={"realm": ""}),)),
        ([], ()),
        ([""], ()),
        ([",,,="], ()),
        (['realm="x"'], ()),
        (['"Bearer realm=x"'], ()),
        (["\x80\xff (){}"], ()),
    ],
)
def test_challenges(values: list[str], expected: tuple[Challenge, ...]) -> None:
    assert parse_challenges(values) == expected


def test_challenges_are_not_counted_for_ever() -> None:
    assert len(parse_challenges(["Basic, " * 10_000])) == 16
