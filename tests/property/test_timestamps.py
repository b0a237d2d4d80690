"""Timestamps under any bytes: EvidenceError or the very same answer, and nothing else."""

from hypothesis import example, given
from hypothesis import strategies as st

from countermark.core.errors import EvidenceError, InputError
from countermark.proofs import timestamp_queries, timestamps
from timestamp_forge import Tsa

MESSAGE = b"a signature"
TSA = Tsa()
TRUSTED = (TSA.authority(),)
GOOD = TSA.stamp(MESSAGE, certificates=TSA.chain)
TRUE = timestamps.check(GOOD, MESSAGE, TRUSTED)
QUERY = timestamp_queries.encode(MESSAGE, nonce=2**63, certificate=True)


def _cut(content: bytes) -> st.SearchStrategy[bytes]:
    """Bytes of which some are others, missing, or twice there."""
    place = st.integers(0, len(content))
    return st.tuples(place, place, st.binary(max_size=4)).map(
        lambda cut: content[: cut[0]] + cut[2] + content[cut[1] :]
    )


def _flipped(content: bytes) -> st.SearchStrategy[bytes]:
    place = st.integers(0, len(content) - 1)
    return st.tuples(place, st.integers(1, 255)).map(
        lambda at: content[: at[0]] + bytes((content[at[0]] ^ at[1],)) + content[at[0] + 1 :]
    )


@given(st.one_of(_flipped(GOOD), _cut(GOOD), st.binary(max_size=200)))
@example(b"")
@example(GOOD + b"\0")
def test_no_bytes_say_something_else(response: bytes) -> None:
    """What nobody signed may be changed; who saw the message, and when, may not."""
    try:
        found = timestamps.check(response, MESSAGE, TRUSTED)
    except EvidenceError:
        return
    assert found == TRUE


@given(st.one_of(_flipped(QUERY), _cut(QUERY), st.binary(max_size=100)))
def test_queries(content: bytes) -> None:
    try:
        found = timestamp_queries.parse(content)
    except InputError:
        return
    assert found.imprint in content
