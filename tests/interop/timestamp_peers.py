"""The real timestamp-server, one at a time: it takes port 2112 of the whole machine for its metrics."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from countermark.adapters import storage
from countermark.formats.trusted_root import Authority
from countermark.proofs import signing_keys
from countermark.proofs.certificates import encode_pem
from countermark.proofs.pem import Block
from countermark.proofs.signing_keys import LocalKey
from countermark.proofs.timestamp_issuing import issue_chain
from interop.processes import Server, free_port, listens

_WAIT_SECONDS = 100.0  # for the others' tests


class TimestampServer:
    """timestamp-server with a key in a file."""

    def __init__(self, program: Path, folder: Path, kind: str = "ecdsa-p256") -> None:
        self._lock = storage.Lock(
            str(Path(tempfile.gettempdir()) / "countermark-timestamp-server.lock"), _WAIT_SECONDS
        )
        self._lock.__enter__()
        try:
            self.start = datetime.now(UTC).replace(microsecond=0)
            self.key: LocalKey = signing_keys.generate(kind)
            self.certificates = issue_chain(self.key, "example", "stamps", self.start)
            key, chain = folder / "tsa.key", folder / "tsa-chain.pem"
            key.write_bytes(Block(type="PRIVATE KEY", content=self.key.to_pkcs8()).encode())
            chain.write_bytes(b"".join(encode_pem(each) for each in self.certificates))
            port = free_port()
            self.address = f"127.0.0.1:{port}"
            self.url = f"http://{self.address}/api/v1/timestamp"
            words: list[str | Path] = [program, "serve", "--host", "127.0.0.1", "--port", str(port)]
            words += ["--timestamp-signer", "file", "--file-signer-key-path", key]
            words += ["--certificate-chain-path", chain, "--disable-ntp-monitoring"]
            self._server = Server("timestamp-server", words, folder / "tsa.log", {"HOME": "/"})
            self._server.ready(lambda: listens(port))
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise

    @property
    def authority(self) -> Authority:
        return Authority(
            organization="example",
            common_name="stamps",
            uri=self.url,
            certificates=self.certificates,
            start=self.start,
        )

    def stop(self) -> None:
        try:
            self._server.stop()
        finally:
            self._lock.__exit__(None, None, None)
