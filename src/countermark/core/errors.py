"""Every error we raise, on one screen.

CountermarkError            code             exit  HTTP   whose fault, what to do
├─ InputError                 bad-input          2    400   the caller's words
│  └─ ConfigError             bad-config         2    500   the operator's files; carries file, line, path
├─ EvidenceError              (each its own)     1    403   someone else's bytes ...
│  ├─ MalformedError          malformed                     ... do not parse; carries a path
│  ├─ SignatureError          bad-signature                 ... do not verify
│  ├─ ChainError              bad-chain                     ... do not lead to a trusted root
│  ├─ ExpiredError            expired                       ... are past their time
│  ├─ RollbackError           rollback                      ... are older than what we have seen
│  ├─ ThresholdError          below-threshold               ... are too few
│  └─ NotLoggedError          not-logged                    ... are not in the log
├─ KeyAccessError             no-key             4    500   we cannot open our own key
├─ StorageError               (each its own)     4    500   our own files cannot be read or written
├─ RefusedError               refused            4    401   a server says we may not
└─ UnavailableError           unavailable        3    503   we could not find out; may differ later
   └─ NotFoundError           not-found          3    404   the server answered that there is no such thing

Exit 0 is allowed or done, 1 denied, 3 unknown, 70 a bug. An untrusted image is not an error: it is a
Decision. EvidenceError is raised by pure code, caught by a verifier's loop, and kept as a Rejection.
"""


class Code(str):
    """One stable word per way to be wrong: what tests, JSON and users see.

    Each is its own name in lower case with dashes. Not an ``enum``, whose import costs a cold start 4 ms.
    """

    __slots__ = ()

    BAD_INPUT: "Code"
    BAD_CONFIG: "Code"
    MALFORMED: "Code"
    BAD_SIGNATURE: "Code"
    BAD_CHAIN: "Code"
    EXPIRED: "Code"
    ROLLBACK: "Code"
    BELOW_THRESHOLD: "Code"
    NOT_LOGGED: "Code"
    NO_KEY: "Code"
    REFUSED: "Code"
    UNAVAILABLE: "Code"
    NOT_FOUND: "Code"
    BUG: "Code"
    # evidence, in more detail
    TOO_LARGE: "Code"  # more bytes, members or levels than limits.py allows
    CHECKSUM: "Code"  # bytes are not those that a signed file, or the address, names
    MIXED: "Code"  # files of different publications put together
    FREEZE: "Code"  # something seen before is withheld now
    PIN: "Code"  # a root that is not the one pinned
    ROOT_ROTATION: "Code"  # a new root that the old one does not vouch for
    KEY_ID: "Code"  # a key under an identifier that is not its own
    NO_SIGNATURES: "Code"
    BAD_ROLE: "Code"  # a role name or delegation that the format does not allow
    UNSIGNED: "Code"  # nobody has vouched for this repository or tag
    MOVED_TAG: "Code"  # the tag points to another digest than the signed one
    WRONG_SUBJECT: "Code"  # vouches for another image
    FIRST_USE: "Code"  # a pin is required and there is none
    STALE: "Code"  # too old an answer, and no fresh one to be had
    WITHDRAWN: "Code"  # signed after its signer was last believed, or at an unproven time
    PREDICATE: "Code"  # an attestation of another kind than the one demanded
    SAME_SIGNATORY: "Code"  # one signatory stands where several different ones must
    # cosign's evidence, one for each step that can fail (specs: cosign, 3.3)
    IDENTITY: "Code"  # another identity or issuer than the one demanded
    KEY_MATERIAL: "Code"  # signed with a key where a certificate is demanded, or the reverse
    SCT: "Code"  # no certificate transparency log that we know took the certificate
    INCLUSION: "Code"  # a log entry whose proof does not lead to the checkpoint
    CHECKPOINT: "Code"  # a checkpoint that the log did not sign, or of another log
    PROMISE: "Code"  # a log's promise (signed entry timestamp) that does not verify
    ENTRY: "Code"  # a log entry about another signature, key or content
    TIMESTAMP: "Code"  # a signed timestamp that does not verify
    NO_TIMESTAMP: "Code"  # nothing proves when it was signed
    ANNOTATIONS: "Code"  # the demanded annotations are missing or others
    CONDITION: "Code"  # a predicate that does not fulfil the policy's condition
    # the policy's words
    NO_RULE: "Code"  # no rule of a layer matches
    FORBIDDEN: "Code"  # a rule denies it
    EXCEPTION: "Code"  # a rule allows it without proof
    LET_PASS: "Code"  # not allowed, and not enforced either
    ENDED: "Code"  # an exception, or the time for which a signer is believed, is over
    # our own doings
    KEY_EXISTS: "Code"
    PASSPHRASE: "Code"
    VERSION_CONFLICT: "Code"
    OUT_OF_ORDER: "Code"  # a part of an upload that does not begin where the last one ended
    NO_SPACE: "Code"
    INSECURE: "Code"
    NOT_SUPPORTED: "Code"
    TOKEN: "Code"  # an identity token that is not believed
    DUPLICATE: "Code"  # the log has this entry already

    @property
    def value(self) -> str:
        """The word as a plain string."""
        return str(self)

    @classmethod
    def all(cls) -> "tuple[Code, ...]":
        """Every code there is."""
        return tuple(getattr(cls, name) for name in cls.__annotations__)


for _name in Code.__annotations__:
    setattr(Code, _name, Code(_name.lower().replace("_", "-")))


class CountermarkError(Exception):
    """What happened, to what; ``hint`` says what to do next, ``code`` names it for programs.

    Attributes:
        code: the stable code.
        hint: the next action for a person, or empty.
        exit_status: what the command line ends with.
        http_status: what a service of ours answers.
    """

    code: Code = Code.BUG
    exit_status: int = 70
    http_status: int = 500

    def __init__(self, message: str, *, code: Code | None = None, hint: str = "") -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.hint = hint


class InputError(CountermarkError):
    """The caller's words are wrong."""

    code = Code.BAD_INPUT
    exit_status = 2
    http_status = 400


class ConfigError(InputError):
    """A file of the operator's is wrong; the message begins with file, line and path where known."""

    code = Code.BAD_CONFIG
    http_status = 500

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, path: str = "", hint: str = ""
    ) -> None:
        where = file + (f":{line}" if line else "") + (f": {path}" if path else "")
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.file, self.line, self.path = file, line, path


class EvidenceError(CountermarkError):
    """Someone else's bytes are not what they must be; ``path`` is the place inside them."""

    code = Code.MALFORMED
    exit_status = 1
    http_status = 403

    def __init__(
        self, message: str, *, code: Code | None = None, path: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.path = path


class MalformedError(EvidenceError):
    """The bytes do not parse, or break a limit."""

    code = Code.MALFORMED


class SignatureError(EvidenceError):
    """A signature does not verify."""

    code = Code.BAD_SIGNATURE


class ChainError(EvidenceError):
    """The keys do not lead to a trusted root."""

    code = Code.BAD_CHAIN


class ExpiredError(EvidenceError):
    """The evidence is past its time."""

    code = Code.EXPIRED


class RollbackError(EvidenceError):
    """The evidence is older than what we have seen."""

    code = Code.ROLLBACK


class ThresholdError(EvidenceError):
    """Too few valid signatures."""

    code = Code.BELOW_THRESHOLD


class NotLoggedError(EvidenceError):
    """The evidence is not in the transparency log."""

    code = Code.NOT_LOGGED


class KeyAccessError(CountermarkError):
    """A private key of ours cannot be found or opened."""

    code = Code.NO_KEY
    exit_status = 4


class StorageError(CountermarkError):
    """Our own files cannot be read or written: ``no-space``, ``refused`` (permissions, read-only), ``insecure``."""

    code = Code.UNAVAILABLE
    exit_status = 4


class RefusedError(CountermarkError):
    """A server says that we may not; ``status`` is its HTTP status, ``body`` what it said (at most 1 KiB)."""

    code = Code.REFUSED
    exit_status = 4
    http_status = 401

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        body: bytes = b"",
        code: Code | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status, self.body = status, body[:1024]


class UnavailableError(CountermarkError):
    """We could not find out; ``status`` is the server's HTTP status, 0 where no answer came at all."""

    code = Code.UNAVAILABLE
    exit_status = 3
    http_status = 503

    def __init__(
        self, message: str, *, status: int = 0, code: Code | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status


class NotFoundError(UnavailableError):
    """The server answered that it has no such thing."""

    code = Code.NOT_FOUND
    http_status = 404
