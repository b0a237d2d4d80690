"""A certificate authority and its log in memory, for tests that call them without sockets."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from countermark.core.errors import Code, CountermarkError, EvidenceError
from countermark.core.ports_sigstore import BelievedIssuer, LoggedCertificate, Principal
from countermark.formats import trusted_root
from countermark.proofs import issuing, signing_keys
from countermark.proofs.certificate_extensions import CODE_SIGNING
from countermark.services.certificate_authority import CertificateAuthority
from countermark.services.certificate_log import CertificateLogServer
from mint import END, NOW, START

ISSUER = "https://issuer.test"
ALICE = Principal(
    name="alice@example.test",
    kind="email",
    challenge="alice@example.test",
    issuer=ISSUER,
    extensions={1: ISSUER, 8: ISSUER, 24: "alice"},
)
TOKEN = "alice's token"


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Tokens:
    """Whom tokens name (port ``IdentityTokens``); ``problem`` is raised for each instead."""

    def __init__(self) -> None:
        self.known: dict[str, Principal] = {TOKEN: ALICE}
        self.problem: CountermarkError | None = None
        self.listed: Sequence[BelievedIssuer] = (
            BelievedIssuer(url=ISSUER, audience="sigstore", kind="email", challenge_claim="email"),
        )

    def check(self, token: str, now: datetime) -> Principal:
        assert now.tzinfo is not None
        if self.problem is not None:
            raise self.problem
        if token not in self.known:
            raise EvidenceError("the identity token is not believed: unknown", code=Code.TOKEN)
        return self.known[token]

    def issuers(self) -> Sequence[BelievedIssuer]:
        return self.listed


class MemoryEntries:
    """Entries of a certificate log (port ``CertificateEntries``); ``problem`` is raised instead of keeping one."""

    def __init__(self) -> None:
        self.kept: dict[bytes, LoggedCertificate] = {}
        self.problem: CountermarkError | None = None

    def add(self, identity: bytes, entry: LoggedCertificate) -> LoggedCertificate:
        if self.problem is not None:
            raise self.problem
        return self.kept.setdefault(identity, entry)

    def size(self) -> int:
        return len(self.kept)

    def range(self, start: int, end: int) -> Sequence[LoggedCertificate]:
        return list(self.kept.values())[start:end]


class World:
    """An authority, with a log unless told otherwise."""

    def __init__(self, *, log: bool = True, former: Sequence[Sequence[bytes]] = ()) -> None:
        self.clock, self.tokens, self.entries = Time(), Tokens(), MemoryEntries()
        root_key, key, log_key = (signing_keys.generate() for _ in range(3))
        self.root_key, self.key, self.log_key = root_key, key, log_key
        self.root = issuing.make_root(root_key, issuing.subject("test", "root"), START, END)
        name = issuing.subject("test", "intermediate")
        above = issuing.Signer(self.root, root_key)
        self.middle = issuing.make_intermediate(above, key.public, name, START, END, CODE_SIGNING)
        chain = (self.middle.der, self.root.der)
        self.log = CertificateLogServer(log_key, self.entries, chain, self.clock, "/test")
        self.authority = CertificateAuthority(
            issuing.LeafIssuer(issuing.Signer(self.middle, key)),
            chain,
            self.tokens,
            self.clock,
            self.log if log else None,
            former,
        )

    @property
    def ct_log(self) -> trusted_root.Instance:
        return trusted_root.Instance(
            base_url="https://log.test",
            key=self.log_key.public_der,
            key_details="PKIX_ECDSA_P256_SHA_256",
            log_id=sha256(self.log_key.public_der).digest(),
            start=None,
        )


def bearer(token: str = TOKEN) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}
