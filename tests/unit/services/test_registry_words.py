import pytest

from countermark.core.digest import Digest
from countermark.services.registry import words
from countermark.services.registry.errors import ApiError
from countermark.services.registry.routes import route

DIGEST = Digest.of(b"x")


@pytest.mark.parametrize(
    "name", ["a", "a/b/c", "0", "a-b", "a--b", "a.b", "a_b", "a__b", "x" * 255]
)
def test_names(name: str) -> None:
    assert words.name_of(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "_a",
        "a/_blobs",
        "a___b",
        "a..b",
        "a.-b",
        "-a",
        "a-",
        "a\0b",
        "a\n",
        "a b",
        "é",
        "a%2fb",
        "x" * 256,
    ],
)
def test_no_names(name: str) -> None:
    with pytest.raises(ApiError) as caught:
        words.name_of(name)
    assert (caught.value.status, caught.value.oci_code) == (400, "NAME_INVALID")


@pytest.mark.parametrize("tag", ["a", "_", "1.0", "A-b_c.D", "x" * 128])
def test_tags(tag: str) -> None:
    assert words.reference_of(tag) == tag


@pytest.mark.parametrize("tag", ["", ".", "..", "-a", "a/b", "a b", "a\n", "é", "x" * 129])
def test_no_tags(tag: str) -> None:
    with pytest.raises(ApiError) as caught:
        words.reference_of(tag)
    assert (caught.value.status, caught.value.oci_code) == (400, "TAG_INVALID")


def test_digests() -> None:
    assert words.reference_of(str(DIGEST)) == DIGEST
    assert words.reference_of(str(Digest.of(b"x", "sha512"))) == Digest.of(b"x", "sha512")


@pytest.mark.parametrize(
    "text",
    [
        ":",
        "sha256:",
        "sha256:baddigeststring",
        f"SHA256:{DIGEST.hex}",
        f"sha256:{DIGEST.hex.upper()}",
        f"sha256:{DIGEST.hex}0",
        f"sha384:{DIGEST.hex}",
        "sha256:../../../../etc/passwd",
        f"md5:{'0' * 32}",
    ],
)
def test_no_digests(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        words.reference_of(text)
    assert (caught.value.status, caught.value.oci_code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2", ("root", "", "")),
        ("/v2/", ("root", "", "")),
        ("/v2/_catalog", ("catalog", "", "")),
        ("/v2/a/tags/list", ("tags", "a", "")),
        ("/v2/a/b/manifests/latest", ("manifests", "a/b", "latest")),
        ("/v2/a/manifests/sha256:x", ("manifests", "a", "sha256:x")),
        ("/v2/a/referrers/sha256:x", ("referrers", "a", "sha256:x")),
        ("/v2/a/blobs/sha256:x", ("blobs", "a", "sha256:x")),
        ("/v2/a/blobs/uploads", ("uploads", "a", "")),
        ("/v2/a/blobs/uploads/", ("uploads", "a", "")),
        ("/v2/a/blobs/uploads/id", ("upload", "a", "id")),
        # the words of the API in names
        ("/v2/tags/list/tags/list", ("tags", "tags/list", "")),
        ("/v2/a/blobs/uploads/manifests/x", ("manifests", "a/blobs/uploads", "x")),
        ("/v2/manifests/manifests/manifests", ("manifests", "manifests", "manifests")),
        ("/v2/uploads/blobs/uploads/", ("uploads", "uploads", "")),
    ],
)
def test_routes(path: str, expected: tuple[str, str, str]) -> None:
    assert route(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1/",
        "/v2x/",
        "v2/a/tags/list",
        "/v2/a",
        "/v2/a/",
        "/v2/tags/list",
        "/v2/manifests/x",
        "/v2/a/manifests/",
        "/v2/a/manifests",
        "/v2/a/manifests/x/y",
        "/v2/a/blobs/",
        "/v2/a/tags/list/",
        "/v2/a/tags",
        "/v2/_catalog/",
    ],
)
def test_no_routes(path: str) -> None:
    with pytest.raises(ApiError) as caught:
        route(path)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 10)),
        ("bytes=10-10", (10, 1)),
        ("bytes=90-1000", (90, 10)),
        ("bytes=99-", (99, 1)),
        ("bytes=-10", (90, 10)),
        ("bytes=-1000", (0, 100)),
        ("bytes= 10-19 ", (10, 10)),
        ("bytes=0-1,5-6", None),  # the whole, as RFC 9110 allows
        ("items=0-1", None),
    ],
)
def test_ranges(text: str | None, expected: tuple[int, int] | None) -> None:
    assert words.byte_range(text, 100) == expected


@pytest.mark.parametrize(
    "text",
    [
        "bytes=100-",
        "bytes=100-200",
        "bytes=5-4",
        "bytes=-0",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=0x1-2",
        f"bytes={'9' * 16}-",
    ],
)
def test_unsatisfiable_ranges(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        words.byte_range(text, 100)
    assert caught.value.status == 416
    assert caught.value.headers == (("Content-Range", "bytes */100"),)


def test_an_empty_blob_is_whole_in_any_range() -> None:
    assert words.byte_range("bytes=0-", 0) is None


@pytest.mark.parametrize(
    ("content_range", "length", "expected"),
    [
        (None, None, None),
        (None, "5", None),
        ("0-0", "1", 0),
        ("10-19", "10", 10),
        ("10-19", None, 10),
    ],
)
def test_parts(content_range: str | None, length: str | None, expected: int | None) -> None:
    assert words.part_of(content_range, length) == expected


@pytest.mark.parametrize(
    ("content_range", "length", "status", "code"),
    [
        ("bytes 0-1/2", "2", 400, "BLOB_UPLOAD_INVALID"),
        ("0-", "2", 400, "BLOB_UPLOAD_INVALID"),
        ("", "2", 400, "BLOB_UPLOAD_INVALID"),
        ("-1-2", "2", 400, "BLOB_UPLOAD_INVALID"),
        ("\u0660-\u0661", "2", 400, "BLOB_UPLOAD_INVALID"),
        (f"0-{'9' * 16}", "2", 400, "BLOB_UPLOAD_INVALID"),
        ("5-4", "0", 416, "BLOB_UPLOAD_INVALID"),
        ("0-9", "9", 400, "SIZE_INVALID"),
        ("0-9", "11", 400, "SIZE_INVALID"),
    ],
)
def test_bad_parts(content_range: str, length: str, status: int, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        words.part_of(content_range, length)
    assert (caught.value.status, caught.value.oci_code) == (status, code)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, False),
        (f'"{DIGEST}"', True),
        (f'W/"{DIGEST}"', True),
        (str(DIGEST), True),  # docker's client
        (f'"x", "{DIGEST}"', True),
        ("*", True),
        ('"x"', False),
        ("", False),
    ],
)
def test_conditions(condition: str | None, expected: bool) -> None:
    assert words.matches_etag(condition, DIGEST) is expected


def test_queries() -> None:
    query = words.Query("a=1&a=2&b=&c=x%2By&d=x+y")
    assert (query.one("a"), query.all("a"), query.one("b")) == ("1", ["1", "2"], "")
    assert (query.one("c"), query.one("d"), query.one("e"), query.all("e")) == (
        "x+y",
        "x y",
        None,
        [],
    )
    with pytest.raises(ApiError) as caught:
        words.Query("&".join(f"a{n}=1" for n in range(300)))
    assert caught.value.status == 414


@pytest.mark.parametrize(("text", "expected"), [("", 10), ("n=0", 0), ("n=7", 7), ("n=99", 10)])
def test_counts(text: str, expected: int) -> None:
    assert words.Query(text).count("n", 10, "UNSUPPORTED") == expected


@pytest.mark.parametrize("text", ["n=", "n=-1", "n=1.5", "n=x", "n=%D9%A1", f"n={'9' * 16}"])
def test_no_counts(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        words.Query(text).count("n", 10, "UNSUPPORTED")
    assert (caught.value.status, caught.value.oci_code) == (400, "UNSUPPORTED")


def test_links_are_escaped() -> None:
    link = words.next_link("/v2/a/tags/list", last="a b&c>", n="2")
    assert link == ("Link", '</v2/a/tags/list?last=a%20b%26c%3E&n=2>; rel="next"')
