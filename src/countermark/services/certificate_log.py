"""A certificate transparency log (RFC 6962): takes certificates, promises to show them, and shows them.

In this process it is a port of the certificate authority (``CertificateLog``); over HTTP it is what Fulcio and
auditors ask. An entry is kept before it is promised, and is in the tree at once. The thief of its key can promise
what it never shows.
"""

import re
import threading
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    MalformedError,
)
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import CertificateEntries, LoggedCertificate, SigningKey
from countermark.formats import strict_json
from countermark.formats.go_text import to_base64
from countermark.proofs import certificate_entries, scts, spki, x509
from countermark.proofs.certificate_entries import Entry
from countermark.services.certificate_tree import CertificateTree
from countermark.services.log_certificates import LoggedCertificates

_JSON = ("Content-Type", "application/json")
_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_NUMBER = re.compile(r"[0-9]{1,15}")
_Query = Mapping[str, str]


class CertificateLogServer:
    """A log.

    Args:
        key: signs promises and tree heads; on P-256.
        entries: where the entries lie; those in a log of ours are a tree already, for others one is made in memory.
        roots: certificates (DER) to which what is sent must lead.
        clock: the time.
        prefix: what stands before ``/ct/v1/`` in its paths.
        is_closed: another has taken its place: it shows what it has, and takes nothing.
    """

    def __init__(
        self,
        key: SigningKey,
        entries: CertificateEntries,
        roots: Sequence[bytes],
        clock: Clock,
        prefix: str = "",
        *,
        is_closed: bool = False,
    ) -> None:
        self._key, self._entries, self._clock = key, entries, clock
        self._kind = spki.parse(key.public_der).kind
        self._roots = [x509.parse(each) for each in roots]
        self._tree: CertificateTree | LoggedCertificates = (
            entries if isinstance(entries, LoggedCertificates) else CertificateTree(entries)
        )
        self._is_closed = is_closed
        self._lock = threading.Lock()
        self._head: tuple[int, int, bytes] = (-1, 0, b"")
        self._gets: Mapping[str, Callable[[_Query], object]] = {
            f"{prefix}/ct/v1/get-sth": self._get_sth,
            f"{prefix}/ct/v1/get-sth-consistency": self._get_consistency,
            f"{prefix}/ct/v1/get-proof-by-hash": self._get_proof,
            f"{prefix}/ct/v1/get-entries": self._get_entries,
            f"{prefix}/ct/v1/get-entry-and-proof": self._get_entry_and_proof,
            f"{prefix}/ct/v1/get-roots": self._get_roots,
        }
        self._posts = {
            f"{prefix}/ct/v1/add-chain": False,
            f"{prefix}/ct/v1/add-pre-chain": True,
        }

    # The port of the authority in this process ----------------------------------------------------------

    def add(self, entry: bytes, chain: Sequence[bytes], now: datetime) -> bytes:
        """See the port ``CertificateLog``."""
        return self._promised(certificate_entries.of_precertificate(entry, chain), now).encode()

    def _promised(self, entry: Entry, now: datetime) -> scts.Sct:
        """Keep an entry, then promise to show it: at the time at which it first came."""
        leaf = certificate_entries.leaf(entry.signed, scts.milliseconds(now))
        new = LoggedCertificate(leaf=leaf, extra=entry.extra)
        kept = self._entries.add(entry.identity, new)
        return scts.promise(self._key, kept.leaf)

    # HTTP -----------------------------------------------------------------------------------------------

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's."""
        return path in self._gets or path in self._posts

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        get, poisoned = self._gets.get(request.path), self._posts.get(request.path)
        if get is None and poisoned is None:
            return _refused(404, "not found")
        if request.method != ("POST" if get is None else "GET"):
            return _refused(405, f"method not allowed: {request.method[:20]}")
        try:
            if get is not None:
                found = get(_query(request.query))
            else:
                found = self._add_chain(request, poisoned=bool(poisoned))
        except (InputError, EvidenceError) as error:
            return _refused(400, str(error))
        except CountermarkError as error:
            return _refused(error.http_status, "the log cannot answer now", problem=str(error))
        return Response(status=200, headers=(_JSON,), body=strict_json.compact(found))

    def _add_chain(self, request: Request, *, poisoned: bool) -> object:
        if self._is_closed:
            raise InputError("the log takes nothing any more; another has taken its place")
        chain = _chain(request.body.read(limits.CERTIFICATE_CHAIN_BYTES))
        entry = certificate_entries.of_chain(chain, self._roots, poisoned=poisoned)
        sct = self._promised(entry, self._clock())
        return {
            "sct_version": 0,
            "id": to_base64(sct.log_id),
            "timestamp": sct.time,
            "extensions": to_base64(sct.extensions),
            "signature": to_base64(sct.encode_signature()),
        }

    def _get_roots(self, _: _Query) -> object:
        return {"certificates": [to_base64(each.der) for each in self._roots]}

    def _get_sth(self, _: _Query) -> object:
        """A signed tree head; while the tree does not grow the last one serves, for an hour."""
        size, root = self._tree.head()
        now = scts.milliseconds(self._clock())
        with self._lock:
            known, time, signature = self._head
            if known != size or not 0 <= now - time < _HEAD_MILLISECONDS:
                content = certificate_entries.tree_head(size, now, root)
                time, signature = now, self._key.sign(content)
                self._head = size, time, signature
        return {
            "tree_size": size,
            "timestamp": time,
            "sha256_root_hash": to_base64(root),
            "tree_head_signature": to_base64(scts.digitally_signed(self._kind, signature)),
        }

    def _get_consistency(self, query: _Query) -> object:
        first, second = _number(query, "first"), _number(query, "second")
        return {"consistency": _listed(self._tree.consistency(first, second))}

    def _get_proof(self, query: _Query) -> object:
        size = _number(query, "tree_size")
        index, path = self._tree.proof_of(_base64(query.get("hash", ""), "hash"), size)
        return {"leaf_index": index, "audit_path": _listed(path)}

    def _get_entries(self, query: _Query) -> object:
        start, last = _number(query, "start"), _number(query, "end")
        if start > last:
            raise InputError("start is after end")
        end = min(last + 1, start + limits.LOG_ENTRIES_PER_ANSWER)
        found = self._entries.range(start, end)
        if not found:
            raise InputError("there is no such entry")
        return {"entries": [_shown(each) for each in found]}

    def _get_entry_and_proof(self, query: _Query) -> object:
        index, size = _number(query, "leaf_index"), _number(query, "tree_size")
        path = self._tree.inclusion(index, size)
        (entry,) = self._entries.range(index, index + 1)
        return {**_shown(entry), "audit_path": _listed(path)}


_HEAD_MILLISECONDS = 3_600_000


def _shown(entry: LoggedCertificate) -> dict[str, str]:
    return {"leaf_input": to_base64(entry.leaf), "extra_data": to_base64(entry.extra)}


def _listed(hashes: Sequence[bytes]) -> list[str]:
    return [to_base64(each) for each in hashes]


def _chain(body: bytes) -> list[bytes]:
    """Read what is sent: DER in base64, the leaf first."""
    members = strict_json.Reader(strict_json.parse(body), "")
    texts = members.texts("chain")
    if len(texts) > limits.CHAIN_CERTIFICATES:
        raise MalformedError("too many certificates", code=Code.TOO_LARGE)
    return [_base64(text, "chain") for text in texts]


def _query(text: str) -> _Query:
    try:
        return dict(parse_qsl(text, strict_parsing=True, max_num_fields=4)) if text else {}
    except ValueError:
        raise InputError("not a query") from None


def _number(query: _Query, name: str) -> int:
    text = query.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{name} is no number")
    return int(text)


def _base64(text: str, name: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        raise InputError(f"{name} is not base64") from None


def _refused(status: int, message: str, *, problem: str = "") -> Response:
    return Response(status=status, headers=(_TEXT,), body=message.encode() + b"\n", problem=problem)
