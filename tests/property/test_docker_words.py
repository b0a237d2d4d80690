"""Whatever is typed, written in a Dockerfile or put into an archive: understood or refused, never a surprise."""

import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from countermark.adapters.tar_members import members
from countermark.core.errors import EvidenceError, InputError
from countermark.enforce import docker_flags, docker_plan, dockerfile
from countermark.enforce.docker_flags import parse_words
from countermark.enforce.docker_plan import PassThrough, Refusal, Settings, Understood
from examples import examples

PIECES = st.sampled_from(
    [
        *(
            "FROM ",
            "COPY ",
            "RUN ",
            "ARG A=1",
            "ADD ",
            "ONBUILD ",
            "# syntax=",
            "# escape=`",
            "as c",
        ),
        *("--from=", "--mount=from=", "--platform=p ", " ", "\n", "\\\n", "`\n", "\\", '"', "'"),
        *(
            "<<EOF",
            "\nEOF\n",
            "a",
            "b:1",
            "$A",
            "${A:-b}",
            "=",
            ",",
            "\t",
            "#",
            "\r\n",
            "\xa0",
            "[",
        ),
    ]
)
STARTS = st.sampled_from(["", "FROM a AS c\n", "ARG A=c\nFROM a AS c\nFROM b\n"])
TEXTS = st.builds(lambda start, rest: start + "".join(rest), STARTS, st.lists(PIECES, max_size=20))
TEXTS |= st.text(max_size=60)
WORDS = st.lists(
    st.sampled_from(
        [
            *(
                "run",
                "pull",
                "build",
                "push",
                "image",
                "container",
                "buildx",
                "-it",
                "-v",
                "x:y",
                "--name",
            ),
            *(
                "--rm",
                "alpine",
                "--",
                "-",
                ".",
                "-f",
                "--file=",
                "-qf",
                "D",
                "--disable-content-trust",
            ),
            *(
                "--disable-content-trust=false",
                "-H",
                "h",
                "--config",
                "c",
                "--cache-from",
                "--unknown",
            ),
        ]
    )
    | st.text(max_size=6),
    max_size=8,
)


@given(TEXTS)
@examples(400)
def test_a_dockerfile_is_understood_or_refused(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    try:
        parsed = dockerfile.parse(content, {"A": "x"})
    except InputError:
        return
    ends = 0
    for use in sorted(parsed.uses, key=lambda use: use.start):
        assert ends <= use.start < use.end <= len(content)
        ends = use.end
    expected = content
    for stage in sorted(parsed.stages, key=lambda stage: stage.start, reverse=True):
        expected = expected[: stage.start] + stage.name.encode() + expected[stage.end :]
    assert parsed.rewritten({}) == expected


@given(TEXTS)
@examples(400)
def test_a_rewritten_dockerfile_uses_the_new_names(text: str) -> None:
    """Parsing what was written finds exactly the digests that were put in: no image is left as it was."""
    content = text.encode("utf-8", "surrogatepass")
    try:
        parsed = dockerfile.parse(content, {"A": "x"})
    except InputError:
        return
    names = {
        use.name: f"pinned@sha256:{'0' * 63}{place % 10}" for place, use in enumerate(parsed.uses)
    }
    again = dockerfile.parse(parsed.rewritten(names), {"A": "x"})
    assert [use.name for use in again.uses] == [names[use.name] for use in parsed.uses]


@given(WORDS)
@examples(400)
def test_a_command_line_is_understood_refused_or_left_alone(words: list[str]) -> None:
    for on in ("", "1"):
        found = docker_plan.understand(words, Settings(content_trust=on, environment={}))
        assert isinstance(found, PassThrough | Refusal | Understood)
        assert found == PassThrough(words=tuple(words)) or not isinstance(found, PassThrough)


@given(WORDS, st.sampled_from([docker_flags.CONTAINER, docker_flags.BUILD, docker_flags.PULL]))
@examples(400)
def test_every_word_is_a_flag_or_an_argument(
    words: list[str], table: docker_flags.FlagTable
) -> None:
    parsed = parse_words(table, words, 0)
    if parsed.trouble:
        return
    taken = {place for flag in parsed.flags for place in range(flag.first, flag.last + 1)}
    left = set(range(len(words))) - taken - set(parsed.arguments)
    assert taken.isdisjoint(parsed.arguments)
    assert [words[place] for place in left] in ([], ["--"])


def an_archive() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a/layer.tar", "manifest.json", "long" * 60):
            info = tarfile.TarInfo(name)
            info.size = 600
            tar.addfile(info, io.BytesIO(b"x" * 600))
    return file.getvalue()


ARCHIVE = an_archive()


@given(
    st.lists(st.tuples(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(ARCHIVE)),
)
@examples(300)
def test_a_damaged_archive_is_read_inside_its_bounds_or_refused(
    changes: list[tuple[int, int]], length: int
) -> None:
    content = bytearray(ARCHIVE)
    for place, value in changes:
        content[place] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        path.write_bytes(content[: length or len(content)])
        try:
            found = members(str(path))
        except EvidenceError:
            return
        for name, member in found.items():
            assert 0 <= member.start <= member.start + member.size <= path.stat().st_size
            assert not name.startswith(("/", "../"))
