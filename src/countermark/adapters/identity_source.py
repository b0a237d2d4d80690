"""Where the identity token of a signature comes from: given, of the place we run in, of somebody who signs in."""

from countermark.adapters.ambient_tokens import AmbientTokens
from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, RefusedError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from countermark.adapters.oidc_flows import OidcFlows, Person

FLOWS = ("", "normal", "device", "token", "client_credentials")


class Wanted(Value):
    """What was asked for.

    Attributes:
        given: a token, or the name of a file that has one; "" for neither.
        flow: one of ``FLOWS``; "" lets what is at hand decide.
        provider: of ambient tokens, the one to ask; "" for the first that is there.
        without_ambient: the place we run in is not asked.
        audience: whom the token is for.
        interactive: somebody sits at a terminal.
    """

    given: str = ""
    flow: str = ""
    provider: str = ""
    without_ambient: bool = False
    audience: str = "sigstore"
    interactive: bool = False

    def _check(self) -> None:
        if self.flow not in FLOWS:
            raise InputError(f"unsupported oauth flow: {self.flow[:40]}")

    def __repr__(self) -> str:
        return f"Wanted(flow={self.flow!r}, provider={self.provider!r})"  # never the token


class IdentitySource:
    """Gives tokens when they are needed, not before: they are valid for minutes."""

    def __init__(
        self,
        wanted: Wanted,
        ambient: AmbientTokens,
        flows: "Callable[[], OidcFlows]",
        person: "Person",
        read_file: "Callable[[str], bytes | None]",
        agree: "Callable[[], None]" = lambda: None,
    ) -> None:
        """Take what tokens come from.

        Args:
            wanted: what was asked for.
            ambient: the place we run in.
            flows: makes what signs in, where somebody has to.
            person: who then does.
            read_file: reads a small file.
            agree: asks before somebody at a terminal signs in who did not choose how; raises where the answer is no.
        """
        self._agree = agree
        self._wanted, self._ambient, self._flows = wanted, ambient, flows
        self._person, self._read_file = person, read_file

    def token(self) -> str:
        """Return a token.

        Raises:
            InputError: what was given is none. RefusedError: who should give one does not; in a CI system, where
                nobody could sign in, at once. UnavailableError: it could not be asked.
        """
        wanted = self._wanted
        if wanted.given:
            return given(wanted.given, self._read_file)
        if wanted.flow == "token":
            raise InputError("getting id token: no identity token was given")
        if not wanted.without_ambient and wanted.flow in ("", "normal", "device"):
            found = self._ambient.token(wanted.audience, wanted.provider)
            if found is not None:
                return found
            if wanted.provider:
                raise InputError(f"there is no {wanted.provider} here that gives identity tokens")
        if wanted.flow == "client_credentials":
            return self._flows().program()
        return self._signed_in()

    def _signed_in(self) -> str:
        wanted, ci = self._wanted, self._ambient.ci
        if not wanted.flow and not wanted.interactive and ci:
            raise RefusedError(
                f"this runs in a CI system ({ci} is set) that gives no identity token, and nobody can sign in here",
                status=401,
                code=Code.TOKEN,
                hint="let the job have one, give one with --identity-token, or choose --fulcio-auth-flow device",
            )
        if wanted.flow == "device" or (not wanted.flow and not wanted.interactive):
            if not wanted.flow:
                self._person.told("Non-interactive mode detected, using device flow.")
            return self._flows().device()
        if not wanted.flow:
            self._agree()
        return self._flows().browser()


def given(text: str, read_file: "Callable[[str], bytes | None]") -> str:
    """Take a token that was given, or one out of a file, where a newline at its end does no harm.

    Raises:
        InputError: it is neither.
    """
    from countermark.proofs import tokens  # noqa: PLC0415 - where there is a token

    if _is_token(text):
        return text
    content = read_file(text) if len(text) <= 4096 and "\0" not in text else None
    if content is None:
        shown = text[:200] if text.count(".") != 2 else "(a text that is no identity token)"
        raise InputError(f"getting id token: open {shown}: no such file or directory")
    found = content[: limits.TOKEN_BYTES].decode("utf-8", "replace").strip()
    try:
        tokens.unverified_claims(found)
    except EvidenceError as error:
        raise InputError(f"the identity token in {text[:200]}: {error}", code=Code.TOKEN) from None
    return found


def _is_token(text: str) -> bool:
    from countermark.proofs import tokens  # noqa: PLC0415 - as above

    try:
        tokens.unverified_claims(text)
    except EvidenceError:
        return False
    return True
