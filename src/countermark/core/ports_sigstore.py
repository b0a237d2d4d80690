"""What signing with cosign and hosting a Sigstore need from outside, as protocols.

Errors are as ``core/ports.py`` says.
"""

from countermark.core.light import Mapping, Sequence, datetime
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object


class SigningKey(Protocol):
    """A private key that signs, wherever it is: in a file, a token, a cloud."""

    @property
    def public_der(self) -> bytes:
        """The public key, SubjectPublicKeyInfo in DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message over the hash that belongs to the key: ECDSA in ASN.1 DER, RSA PKCS#1 v1.5, Ed25519.

        Raises:
            KeyAccessError: the key does not open, or its keeper refuses.
            UnavailableError: its keeper is out of reach.
        """
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign what has this digest under the hash that belongs to the key; Ed25519 keys make Ed25519ph (SHA-512).

        Raises:
            As ``sign``; KeyAccessError also where the keeper takes whole messages only (``not-supported``).
        """
        ...


class ServiceKeys(Protocol):
    """The private keys of a Sigstore that we host; its thief signs as that service."""

    def names(self) -> Sequence[str]:
        """Return the names of all keys, in order."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return a key's PKCS 8 DER, None where there is none of this name.

        Raises:
            KeyAccessError: it cannot be opened with our master key.
        """
        ...

    def put(self, name: str, private: bytes) -> None:
        """Keep a key durably; one of this name must not be there yet."""
        ...


class Conditions(Protocol):
    """Judges the policy's conditions (CEL) on attestations, within a budget of time and memory."""

    def objection(self, condition: str, statement: bytes) -> str:
        """Say why a statement (JSON) does not fulfil a condition, "" where it does.

        Raises:
            ConfigError: the condition cannot be read. UnavailableError: nothing here can judge it.
        """
        ...


class Principal(Value):
    """Whom an identity token names, and what a certificate will say of them.

    Attributes:
        name: the subject alternative name: an address, a URI, or ``user!domain``.
        kind: of name: ``email``, ``uri`` or ``username`` (an otherName).
        challenge: the text that the holder of the new key signs to prove its possession.
        issuer: who vouches for the name; also in extensions 1 and 8.
        extensions: Fulcio's, by number below 1.3.6.1.4.1.57264.1, in order; 1, 8 and 24 (``sub``) are among them.
        token_id: the token's ``jti``, "" where it has none.
    """

    name: str
    kind: str
    challenge: str
    issuer: str
    extensions: Mapping[int, str]
    token_id: str = ""


class BelievedIssuer(Value):
    """One line of what a certificate authority says of the issuers it believes.

    ``url`` may hold ``*`` where ``is_pattern``; ``challenge_claim`` is what its tokens' holders sign.
    """

    url: str
    audience: str
    kind: str
    challenge_claim: str
    is_pattern: bool = False
    subject_domain: str = ""
    trust_domain: str = ""
    accepts_unverified_email: bool = False


class IdentityTokens(Protocol):
    """Says whom an identity token names, if it is believed at all."""

    def check(self, token: str, now: datetime) -> Principal:
        """Check a token and read its principal; whether it was shown before is not looked at.

        Raises:
            EvidenceError: ``token``, it is not believed; the reason is for our own log only.
            UnavailableError: its issuer's keys cannot be had now.
        """
        ...

    def issuers(self) -> Sequence[BelievedIssuer]:
        """List the issuers that are believed."""
        ...


class IssuerDocuments(Protocol):
    """The public documents of OpenID issuers: discovery and keys."""

    def fetch(self, url: str, max_bytes: int, ca_certificates: str = "") -> bytes:
        """Fetch a JSON document from where the URL says: no redirect is followed.

        ``ca_certificates`` (PEM) are believed for this server besides the system's.

        Raises:
            NotFoundError, RefusedError, UnavailableError: as ``core/ports.py`` says. EvidenceError: ``too-large``.
        """
        ...


class Account(Value):
    """Somebody who may ask our own issuer for identity tokens.

    Attributes:
        name: an e-mail address, or a plain name; what tokens say.
        password_hash: bcrypt's.
        is_program: it signs in with its name and password only, never on a page.
    """

    name: str
    password_hash: str
    is_program: bool = False


class UserStore(Protocol):
    """The accounts of our own issuer. Whoever can write here signs in as anybody; a reader may guess passwords."""

    def accounts(self) -> Sequence[Account]:
        """Return all accounts in the order of their names, as they are now.

        Raises:
            StorageError: they cannot be read. ConfigError: what is there is not a list of accounts.
        """
        ...

    def put(self, account: Account, *, replace: bool = False) -> bool:
        """Keep an account durably; False, and nothing happened, where one of its name may not be replaced.

        One whose name differs in capitals only is never replaced, and stands in the way.
        """
        ...

    def remove(self, name: str) -> bool:
        """Remove an account; False where there is none of this name."""
        ...


class CertificateLog(Protocol):
    """A certificate log that takes what an authority of ours issues."""

    def add(self, entry: bytes, chain: Sequence[bytes], now: datetime) -> bytes:
        """Keep a certificate to be durably, and promise to show it; return the promise (SCT, RFC 6962, 3.2).

        Args:
            entry: type and content of the log's entry, as the log signs it (``proofs/scts.py``).
            chain: DER: the certificate to be, signed and poisoned, then its issuers up to the root.
            now: the time of the promise.

        Raises:
            StorageError, UnavailableError: it cannot be kept, so nothing is promised. KeyAccessError.
        """
        ...


class LoggedCertificate(Value):
    """An entry of a certificate log: what its tree is over, and what is needed to see that it belongs there.

    Attributes:
        leaf: a MerkleTreeLeaf (RFC 6962, 3.4).
        extra: the certificates up to a root, as ``get-entries`` gives them (4.6).
    """

    leaf: bytes
    extra: bytes


class CertificateEntries(Protocol):
    """The entries of a certificate log, in an order that never changes. Who can write here can break its promises."""

    def add(self, identity: bytes, entry: LoggedCertificate) -> LoggedCertificate:
        """Keep an entry durably, unless one of this identity is there; return the one that is there now.

        Raises:
            StorageError, UnavailableError: it cannot be kept, or nobody knows whether it was.
        """
        ...

    def size(self) -> int:
        """Say how many there are."""
        ...

    def range(self, start: int, end: int) -> Sequence[LoggedCertificate]:
        """Return the entries from ``start`` until before ``end``; fewer where there are no more."""
        ...


class TufFiles(Protocol):
    """The files of a TUF repository that we hand out; names as clients ask for them, ``targets/`` among them.

    Whoever can write here keeps newer files from clients, or breaks them; no file becomes believed by lying here.
    """

    def read(self, name: str) -> bytes | None:
        """Return a file, None where there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place, whole and durably."""
        ...

    def locked(self) -> "AbstractContextManager[None]":
        """Keep everybody else from publishing meanwhile."""
        ...


class LogRequest(Value):
    """What a transparency log is asked to take.

    Attributes:
        digest: of what was signed, under the hash that belongs to the key; of an envelope that of its
            pre-authentication encoding.
        algorithm: that hash: ``sha256``, ``sha384``, ``sha512``.
        signature: over it.
        public_key: who can verify it, SubjectPublicKeyInfo in DER.
        certificate: the certificate for that key, DER; b"" where there is none.
        envelope: of an attestation the whole envelope, JSON; b"" else.
    """

    digest: bytes
    algorithm: str
    signature: bytes
    public_key: bytes
    certificate: bytes = b""
    envelope: bytes = b""


class Stamper(Protocol):
    """A timestamp authority. It is believed in nothing: what it answers is verified."""

    def stamp(self, message: bytes) -> bytes:
        """Have some bytes stamped: the authority's answer (RFC 3161), DER.

        Raises:
            RefusedError, UnavailableError: as ``core/ports.py`` says.
        """
        ...


class Certifier(Protocol):
    """A certificate authority that certifies whom an identity token names."""

    def certify(self, token: str, public_key: bytes, proof: bytes) -> tuple[bytes, ...]:
        """Have a key certified: the chain, DER, leaf first.

        Raises:
            RefusedError: it does not believe the token or the proof. UnavailableError: no answer.
            EvidenceError: an answer that is none.
        """
        ...


# Hosting a log ------------------------------------------------------------------------------------------


class TileReader(Protocol):
    """The files of a log that everybody may read: its checkpoint, its tiles (C2SP tlog-tiles)."""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Return a file, None where there is none. Paths are those of ``formats/tiles.py``.

        Raises:
            StorageError, UnavailableError, RefusedError: it cannot be read. EvidenceError: ``too-large``.
        """
        ...


class TileStore(TileReader, Protocol):
    """Where a log of ours keeps these files. Whoever can write here breaks the log, visibly; only its key forges."""

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """Put a file in place, whole or not at all; ``durable``: it outlives a loss of power from now on.

        Raises:
            StorageError, UnavailableError: it cannot be written; ``no-space``.
        """
        ...

    def remove_partial(self, path: str) -> None:
        """Remove the partial tiles of a tile (path of the full one) that nobody needs any more, if there are any.

        Raises:
            StorageError, UnavailableError: they cannot be removed.
        """
        ...


class IndexedEntry(Value):
    """An entry as the index of a log takes it.

    Attributes:
        identity: 32 bytes; a log never takes two entries of one identity.
        body: what is hashed into the log.
        extra: what lies beside it and is not hashed, b"" for nothing.
        terms: what it can be found by, 16 bytes each.
    """

    identity: bytes
    body: bytes
    extra: bytes = b""
    terms: tuple[bytes, ...] = ()


class LogState(Value):
    """A log as its index has it, durably.

    Attributes:
        size: how many entries it has. root: the hash over them.
        settled: how many of them lie in full tiles durably; the index has the bodies of the others.
        is_frozen: it takes no entries any more.
    """

    size: int
    root: bytes
    settled: int
    is_frozen: bool = False


class LogIndex(Protocol):
    """What is true of one log: its state, which entries it has, and the bodies that lie in no full tile yet.

    Whoever can write here can make the log refuse work, not forge it: no checkpoint that contradicts one that was
    published is signed.
    """

    def exclusive(self) -> "AbstractContextManager[None]":
        """Keep every other process (and thread) from adding to the log meanwhile.

        Raises:
            UnavailableError: somebody else has kept us out too long.
        """
        ...

    def state(self) -> LogState:
        """Return the state; that of a new log is an empty tree's."""
        ...

    def find(self, identities: Sequence[bytes]) -> Mapping[bytes, int]:
        """Return the places of those entries that are there."""
        ...

    def append(
        self, base: LogState, entries: Sequence[IndexedEntry], root: bytes, settled: int
    ) -> None:
        """Add entries behind a state, all or none, durably; bodies before ``settled`` are dropped.

        Raises:
            RefusedError: ``version-conflict``, the state is another, or an entry is there already.
            StorageError, UnavailableError: it cannot be done, ``no-space``; whether it was is unknown.
        """
        ...

    def unsettled(self, start: int) -> Sequence[tuple[bytes, bytes]]:
        """Return bodies and extras from a place on, of which all are there that are not settled."""
        ...

    def freeze(self) -> None:
        """Take no entries any more."""
        ...

    def search(self, terms: Sequence[bytes], limit: int) -> Sequence[int]:
        """Return the places of entries that have one of these terms, the first ones."""
        ...

    def listed(self, start: int, count: int) -> Sequence[tuple[int, bytes, frozenset[bytes]]]:
        """List place, identity and terms of the entries from a place on, in order."""
        ...


class WitnessServer(Protocol):
    """A witness, who cosigns checkpoints that are consistent with those it saw before (C2SP tlog-witness)."""

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return status and body of the answer, whatever the status.

        Raises:
            UnavailableError: there is no answer. EvidenceError: ``too-large``.
        """
        ...
