"""Timestamps of timestamp-server with keys of every kind, before our eyes."""

from pathlib import Path

import pytest

from countermark.proofs import timestamp_queries, timestamps
from interop.cosign_peers import go_program
from interop.test_timestamp_authority import DER, MESSAGE, PATH, ask
from interop.timestamp_peers import TimestampServer


@pytest.mark.parametrize("kind", ["ecdsa-p384", "rsa-2048", "ed25519"])
def test_their_other_keys(kind: str, tmp_path: Path) -> None:
    """Ed25519 ones announce SHA-256 for the content, against RFC 8419, and count for us nevertheless."""
    server = TimestampServer(go_program("timestamp-server"), tmp_path, kind)
    try:
        for hash_name in ("sha256", "sha512"):
            body = timestamp_queries.encode(MESSAGE, hash_name, nonce=5, certificate=True)
            answer = ask(server.address, "POST", PATH, body, DER)
            assert timestamps.check(answer.body, MESSAGE, (server.authority,)).nonce == 5
    finally:
        server.stop()
