"""Where ``sign-blob`` and ``attest-blob`` put what they made, in cosign's words."""

from countermark.cli.cosign.words import CosignError, Failing
from countermark.formats import legacy
from countermark.formats.go_text import to_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.schemes.cosign.blobs import SignedFile


class Results:
    """Writes what was made into the files that are named, and says so as cosign does."""

    def __init__(self, words: "Words", program: "Program", out: "Output") -> None:
        self._words, self._program, self._out = words, program, out
        self._is_new = words.on("new-bundle-format")

    def signature(self, signed: "SignedFile") -> None:
        """Write what ``sign-blob`` makes."""
        if self._bundle(signed):
            return
        words, in_base64 = self._words, self._words.on("b64")

        def as_wanted(content: bytes) -> bytes:
            return to_base64(content).encode() if in_base64 else content

        path = words.text("output") or words.text("output-signature")
        if path:
            self._write(path, as_wanted(signed.signature), "signature", "Wrote signature to file ")
        elif in_base64:
            self._out.result(to_base64(signed.signature))
        else:
            self._out.raw(signed.signature)
        path = words.text("output-certificate")
        if path and signed.certificate:
            self._write(
                path, as_wanted(signed.certificate), "certificate", "Wrote certificate to file "
            )
        path = words.text("rfc3161-timestamp")
        if path and signed.timestamp:
            content = legacy.encode_timestamp(signed.timestamp)
            self._write(path, content, "timestamp", "Wrote timestamp to file ")

    def attestation(self, signed: "SignedFile") -> None:
        """Write what ``attest-blob`` makes."""
        if self._bundle(signed):
            return
        path = self._words.text("output-signature")
        if path:
            self._write(path, signed.signature, "signature", "Signature written in ")
        else:
            self._out.result(signed.signature.decode("utf-8"))
        for path, content, kind, said in self._beside(signed):
            self._write(path, content, kind, said)

    def _beside(self, signed: "SignedFile") -> "Iterator[tuple[str, bytes, str, str]]":
        words = self._words
        if words.text("output-attestation"):
            said = "Attestation written in "
            yield words.text("output-attestation"), signed.statement, "attestation", said
        if words.text("output-certificate"):
            if not signed.certificate:
                raise CosignError("no certificate found in bundle")
            said = "Certificate written to file  "  # with cosign's two blanks
            yield words.text("output-certificate"), signed.certificate, "certificate", said
        if words.text("rfc3161-timestamp-bundle"):
            if not signed.timestamp:
                raise CosignError("no RFC3161 timestamp found in bundle")
            content = legacy.encode_timestamp(signed.timestamp)
            said = "Timestamp wrote in the file  "
            yield words.text("rfc3161-timestamp-bundle"), content, "timestamp", said

    def _bundle(self, signed: "SignedFile") -> bool:
        """Write the bundle, and say whether it is all that is wanted."""
        path = self._words.text("bundle")
        if path:
            content = signed.bundle.encode() if self._is_new else signed.old_bundle()
            self._write(path, content, "bundle", "Wrote bundle to file ")
        return self._is_new

    def _write(self, path: str, content: bytes, kind: str, said: str) -> None:
        with Failing(f"create {kind} file: "):
            self._program.files.write_result(path, content)
        self._out.foreign_error(f"{said}{path}")
