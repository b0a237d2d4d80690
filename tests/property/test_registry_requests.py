"""Whatever is asked of the registry, it answers in the spec's words and writes nothing outside its folder."""

import json
import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from countermark.core.digest import Digest
from examples import examples
from hosted_registry import IMAGE, INDEX, HostedRegistry, image, index

LAYER, CONFIG = Digest.of(b"layer"), Digest.of(b"{}")
names = st.sampled_from(
    ["app", "team/app", "a/blobs/uploads", "A", "..", "a/../b", "", "_tags", "a" * 256]
)
digests = st.sampled_from(
    [str(LAYER), str(CONFIG), str(Digest.of(b"layer", "sha512")), "sha256:x", ":"]
)
references = (
    digests | st.sampled_from(["latest", "v1", ".", "..", "_lock", "é"]) | st.text(max_size=8)
)
kinds = st.sampled_from(["manifests", "blobs", "referrers", "tags", "blobs/uploads"])
paths = st.builds(
    lambda name, kind, rest: f"/v2/{name}/{kind}/{rest}", names, kinds, references | st.just("list")
) | st.sampled_from(["/v2/", "/v2/_catalog", "/v2"])
queries = st.dictionaries(
    st.sampled_from(
        ["n", "last", "digest", "mount", "from", "tag", "artifactType", "digest-algorithm"]
    ),
    digests | names | st.sampled_from(["0", "1", "-1", "sha512", "md5"]) | st.text(max_size=8),
    max_size=3,
).map(lambda found: "&".join(f"{name}={value}" for name, value in found.items()))
headers = st.dictionaries(
    st.sampled_from(
        ["range", "content-range", "content-length", "content-type", "if-none-match", "if-range"]
    ),
    st.sampled_from(["bytes=0-", "bytes=5-1", "0-4", "5", IMAGE, INDEX, "*", f'"{LAYER}"'])
    | st.text(max_size=12),
    max_size=3,
)
contents = st.sampled_from(
    [b"", b"{}", b"layer", image(b"layer"), index(), b'{"a":1,"a":2}']
) | st.binary(max_size=40)
methods = st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "BREW"])
requests = st.tuples(methods, paths, queries, contents, headers)
STATUSES = {200, 201, 202, 204, 206, 304, 400, 404, 405, 413, 414, 416}


@examples(300)
@given(st.lists(requests, max_size=6))
def test_every_answer_is_one_of_the_spec(
    asked: list[tuple[str, str, str, bytes, dict[str, str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = HostedRegistry(f"{folder}/registry")
        for method, path, query, content, given_headers in asked:
            answer = registry.call(method, f"{path}?{query}", content, given_headers)
            assert answer.status in STATUSES
            assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
            if answer.status >= 400 and method != "HEAD":
                [error] = json.loads(answer.body)["errors"]
                assert re.fullmatch("[A-Z_]+", error["code"])
            for value in answer.headers.values():
                assert value.isprintable()
        assert registry.logged == []
        below = {path.name for path in Path(folder, "registry").glob("*")}
        assert below <= {"pool", "repositories", "temporary", "uploads"}
        assert [path.name for path in Path(folder).iterdir()] in ([], ["registry"])
