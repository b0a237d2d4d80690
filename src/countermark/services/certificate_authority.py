"""Fulcio: an identity token in, a short-lived certificate out.

What Fulcio 1.8.8 answers (specs: cosign, 2e; observed, 5.4), in both of its versions. A request that is refused
leaves nothing behind: no certificate, no entry in a log. The thief of its key certifies whom they like, though not
unseen where clients demand a log's promise.
"""

from collections.abc import Callable, Mapping, Sequence

from countermark.core.errors import CountermarkError, EvidenceError, InputError, UnavailableError
from countermark.core.light import datetime
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import (
    BelievedIssuer,
    CertificateLog,
    IdentityTokens,
    Principal,
)
from countermark.proofs.certificates import encode_pem
from countermark.proofs.issuing import LeafIssuer, Promise
from countermark.proofs.spki import PublicKey
from countermark.services import certificate_requests, gateway
from countermark.services.certificate_requests import Asked, RefusedError

SIGNING, SIGNING_V1 = "/api/v2/signingCert", "/api/v1/signingCert"
TRUST_BUNDLE, ROOT_V1 = "/api/v2/trustBundle", "/api/v1/rootCert"
CONFIGURATION = "/api/v2/configuration"

BAD_TOKEN = "There was an error processing the identity token"  # noqa: S105 - a message
NO_PROMISE = "Error entering certificate in CTL"
NO_CERTIFICATE = "error communicating with CA backend"

_PEM = ("Content-Type", "application/pem-certificate-chain")


class CertificateAuthority:
    """A Fulcio.

    Args:
        issuer: issues the certificates.
        chain: the authority's own certificate and those up to its root (DER).
        tokens: whom tokens name.
        clock: the time.
        log: takes every certificate before it is issued; without one clients have to be told not to look for it.
        former: chains of its former certificates, which clients should still know.
    """

    def __init__(
        self,
        issuer: LeafIssuer,
        chain: Sequence[bytes],
        tokens: IdentityTokens,
        clock: Clock,
        log: CertificateLog | None = None,
        former: Sequence[Sequence[bytes]] = (),
    ) -> None:
        self._issuer, self._tokens, self._clock, self._log = issuer, tokens, clock, log
        self._chain = tuple(chain)
        # Fulcio ends a certificate with a line end in its bundle, and without one beside a leaf
        self._chain_pem = [each.rstrip() for each in _pems(chain)]
        self._bundle = [_pems(each) for each in (chain, *former)]
        self._answers: Mapping[str, tuple[str, Callable[[Request], Response]]] = {
            SIGNING: ("POST", self._sign),
            SIGNING_V1: ("POST", self._sign_v1),
            TRUST_BUNDLE: ("GET", self._trust_bundle),
            ROOT_V1: ("GET", self._root_v1),
            CONFIGURATION: ("GET", self._configuration),
        }

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's."""
        return path in self._answers

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        known = self._answers.get(request.path)
        if known is None:
            return gateway.unknown_path()
        method, answer = known
        if request.method != method:
            return gateway.wrong_method()
        try:
            return answer(request)
        except RefusedError as refused:
            return refused.answer

    # What it hands out --------------------------------------------------------------------------------

    def _trust_bundle(self, _: Request) -> Response:
        return gateway.found({"chains": [{"certificates": chain} for chain in self._bundle]})

    def _root_v1(self, _: Request) -> Response:
        every = [each for chain in self._bundle for each in chain]
        return Response(status=200, headers=(_PEM,), body="\n".join(every).strip().encode())

    def _configuration(self, _: Request) -> Response:
        return gateway.found({"issuers": [_described(each) for each in self._tokens.issuers()]})

    def _sign(self, request: Request) -> Response:
        """Answer version 2: ``detached`` stands for no promise at all, as Fulcio has it without a log."""
        asked = certificate_requests.read(request)
        chain = {"certificates": [self._issued(asked), *self._chain_pem]}
        kind = "Embedded" if self._log is not None else "Detached"
        return gateway.found({f"signedCertificate{kind}Sct": {"chain": chain}})

    def _sign_v1(self, request: Request) -> Response:
        asked = certificate_requests.read_v1(request)
        body = "\n".join((self._issued(asked), *self._chain_pem))
        return Response(status=201, headers=(_PEM,), body=body.encode())

    # Who may have it ----------------------------------------------------------------------------------

    def _issued(self, asked: Asked) -> str:
        now = self._clock()
        principal = self._principal(asked.token, now)
        key = asked.proven_key(principal.challenge)
        return encode_pem(self._certificate(principal, key, now)).decode().rstrip()

    def _principal(self, token: str, now: datetime) -> Principal:
        try:
            return self._tokens.check(token, now)
        except EvidenceError as error:
            raise RefusedError(BAD_TOKEN, cause=error) from None
        except UnavailableError as error:  # Fulcio: 400; a client that asks again later may have it
            raise RefusedError(BAD_TOKEN, code=gateway.UNAVAILABLE, cause=error) from None

    def _certificate(self, principal: Principal, key: PublicKey, now: datetime) -> bytes:
        promise = None if self._log is None else self._promises(self._log, now)
        try:
            return self._issuer.issue(principal, key, now, promise)
        except InputError as error:
            raise RefusedError(str(error), cause=error) from None
        except CountermarkError as error:
            raise RefusedError(NO_CERTIFICATE, code=gateway.INTERNAL, cause=error) from None

    def _promises(self, log: CertificateLog, now: datetime) -> Promise:
        def promise(entry: bytes, poisoned: bytes) -> bytes:
            try:
                return log.add(entry, (poisoned, *self._chain), now)
            except CountermarkError as error:
                raise RefusedError(NO_PROMISE, code=gateway.INTERNAL, cause=error) from None

        return promise


# What is sent -------------------------------------------------------------------------------------------


def _pems(chain: Sequence[bytes]) -> list[str]:
    return [encode_pem(each).decode() for each in chain]


def _described(issuer: BelievedIssuer) -> dict[str, object]:
    """Describe an issuer in Fulcio's words."""
    return {
        "wildcardIssuerUrl" if issuer.is_pattern else "issuerUrl": issuer.url,
        "audience": issuer.audience,
        "challengeClaim": issuer.challenge_claim,
        "spiffeTrustDomain": issuer.trust_domain,
        "issuerType": issuer.kind,
        "subjectDomain": issuer.subject_domain,
        "skipEmailVerification": issuer.accepts_unverified_email,
    }
