"""What signing with cosign is made of: who signs, which services prove it, what it is verified against."""

import os
import threading
import time

from countermark.assembly.cosign_registry import RegistryAccess
from countermark.core.errors import CountermarkError, EvidenceError, InputError, UnavailableError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from countermark.adapters.http_tls import HostTls
    from countermark.adapters.oidc_flows import OidcFlows
    from countermark.assembly.cosign import Cosign
    from countermark.assembly.program import Program
    from countermark.assembly.signing_person import SigningPerson
    from countermark.core.ports_sigstore import SigningKey
    from countermark.formats.signing_config import SigningConfig
    from countermark.formats.trusted_root import TrustedRoot
    from countermark.schemes.cosign.blobs import FileSigner
    from countermark.schemes.cosign.evidence import Holder, Services
    from countermark.schemes.cosign.signer import CosignImageSigner


class SigningChoice(Value):
    """What a command's flags say of how to sign.

    Attributes:
        key: the key's reference; "" signs with an identity.
        certificate_file, chain_file: certificates for the key.
        token: the identity token, or a file that has one.
        flow: how to get one otherwise: ``normal``, ``device``, ``token``, ``client_credentials``; "" for what fits.
        provider, without_ambient: which CI system or cloud to ask, and whether none is to be.
        client, client_secret_file, redirect_url: what we are to the issuer, and where a browser comes back to.
        issuer_url: the issuer, where ``urls``.
        config_file: the signing config; "" with ``urls`` none at all.
        urls: whether services are those named below, and not a signing config's.
        log_url, authority_url, stamper_url: services by their addresses, "" for none.
        root_file: the trusted root.
        format: ``bundle``, ``legacy`` or ``both``.
    """

    key: str = ""
    certificate_file: str = ""
    chain_file: str = ""
    token: str = ""
    flow: str = ""
    provider: str = ""
    without_ambient: bool = False
    client: str = "sigstore"
    client_secret_file: str = ""
    redirect_url: str = ""
    issuer_url: str = ""
    config_file: str = ""
    urls: bool = False
    log_url: str = ""
    authority_url: str = ""
    stamper_url: str = ""
    root_file: str = ""
    format: str = "bundle"
    algorithm: str = "ecdsa-p256"

    def __repr__(self) -> str:
        # never the token
        return f"SigningChoice(key={self.key!r}, config_file={self.config_file!r})"


class Talk(Value):
    """How a command talks with people.

    Attributes:
        told: prints a line of what goes on.
        shown: prints a line of what a person has to do elsewhere.
        agree: asks before somebody signs in; raises where the answer is no.
    """

    told: "Callable[[str], None]"
    shown: "Callable[[str], None]"
    agree: "Callable[[], None]" = lambda: None


class Signing:
    """Makes the parts of one signing command."""

    def __init__(
        self,
        program: "Program",
        cosign: "Cosign",
        choice: SigningChoice,
        talk: "Talk",
    ) -> None:
        """Take what was chosen; the key begins to open now, beside whatever is asked of a registry meanwhile."""
        self._program, self._cosign, self._choice, self._talk = program, cosign, choice, talk
        self._told = talk.told
        self._secret = self._client_secret()
        self._config = self._signing_config()
        self._key = Opening(lambda: cosign.keys.signing_key(choice.key)) if choice.key else None

    def _signing_config(self) -> "SigningConfig | None":
        """The signing config that applies.

        Raises:
            InputError: it is missing or wrong.
        """
        from countermark.formats import signing_config

        choice = self._choice
        if choice.urls:
            return None
        if not choice.config_file:
            try:
                return self._cosign.sigstore().signing_config()
            except CountermarkError as error:
                raise UnavailableError(
                    f"error getting signing config from TUF: {error}",
                    hint="give one with --signing-config FILE (cosign signing-config create makes one)",
                ) from error
        content = self._program.files.read_bytes(choice.config_file)
        if content is None:
            raise InputError(
                "error reading signing config from file: "
                f"open {choice.config_file}: no such file or directory"
            )
        try:
            return signing_config.parse(content)
        except EvidenceError as error:
            raise InputError(f"error reading signing config from file: {error}") from None

    def signer(
        self, access: RegistryAccess, *, publish: bool = True, file: str = ""
    ) -> "CosignImageSigner":
        """Who signs images; ``file`` is where the bundle goes too, or alone."""
        from countermark.schemes.cosign.signer import CosignImageSigner, Terms

        services = self.services()

        def keep(content: bytes) -> None:
            self._program.files.write_private(file, content)
            self._told(f"Wrote bundle to file {file}")

        terms = Terms(
            format=self._choice.format,
            root=self._root(services),
            publish=publish,
            keep=keep if file else None,
        )
        return CosignImageSigner(
            self._cosign.registry(access),
            self.holder(),
            services,
            terms,
            self._cosign.signatures_place,
        )

    def file_signer(self) -> "FileSigner":
        """Who signs files."""
        from countermark.schemes.cosign.blobs import FileSigner

        services = self.services()
        old_form = self._choice.format == "legacy"
        return FileSigner(self.holder(), services, self._root(services), old_form=old_form)

    def _root(self, services: "Services") -> "TrustedRoot | None":
        """What the result is verified against; None where neither service nor identity is used."""
        if self._choice.root_file or not self._choice.key or services.log or services.stamper:
            return self._cosign.trusted_root(self._choice.root_file)
        return None

    def holder(self) -> "Holder":
        """Who signs: a key, or an identity."""
        from countermark.schemes.cosign.holders import CertifiedHolder, KeyHolder

        choice = self._choice
        if self._key is not None:
            return KeyHolder(self._key.result, self._certificates())
        from countermark.adapters.fulcio import Fulcio

        fulcio = Fulcio(self._program.http, self._authority_url(), self._tls_for)
        return CertifiedHolder(fulcio, self._token, choice.algorithm, self._told)

    def _certificates(self) -> tuple[bytes, ...]:
        from countermark.schemes.cosign.material import certificates

        found: tuple[bytes, ...] = ()
        for path in (self._choice.certificate_file, self._choice.chain_file):
            if path:
                content = self._program.files.read_bytes(path)
                if content is None:
                    raise InputError(f"open {path}: no such file or directory")
                found += certificates(content.decode("utf-8", "replace"))
        return found

    def _token(self) -> str:
        """An identity token, asked for when it is needed; see ``adapters/identity_source.py``."""
        from countermark.adapters.ambient_tokens import AmbientTokens
        from countermark.adapters.identity_source import IdentitySource, Wanted
        from countermark.assembly.signing_person import SigningPerson

        choice, program = self._choice, self._program
        wanted = Wanted(
            given=choice.token,
            flow=choice.flow,
            provider=choice.provider,
            without_ambient=choice.without_ambient,
            interactive=os.isatty(0),
        )
        person = SigningPerson(
            program.environment, self._cosign.prompt, self._talk.told, self._talk.shown
        )
        source = IdentitySource(
            wanted,
            AmbientTokens(program.http, program.environment),
            lambda: self._flows(person),
            person,
            program.files.read_bytes,
            self._talk.agree,
        )
        return source.token()

    def _flows(self, person: "SigningPerson") -> "OidcFlows":
        from countermark.adapters.oidc_flows import OidcFlows
        from countermark.adapters.oidc_provider import SignIn

        choice = self._choice
        sign_in = SignIn(
            issuer=self._issuer_url(),
            client_id=choice.client,
            client_secret=self._secret,
            redirect_url=choice.redirect_url,
        )
        return OidcFlows(self._program.http, sign_in, person, time.sleep, self._tls_for)

    def _client_secret(self) -> str:
        """What a file holds: a secret stands in no argument, which everybody on this machine can read."""
        path = self._choice.client_secret_file
        if not path:
            return ""
        content = self._program.files.read(path)
        if content is None:
            raise InputError(f"reading OIDC client secret: open {path}: no such file or directory")
        return content.strip()

    # Services -----------------------------------------------------------------------------------------

    def services(self) -> "Services":
        """What proves a signature besides."""
        from countermark.adapters.rekor import Rekor1, Rekor2
        from countermark.adapters.timestamp_client import TimestampAuthority
        from countermark.schemes.cosign.evidence import Services

        log_url, version = self._log_url()
        log = None
        if log_url:
            made = Rekor2 if version == 2 else Rekor1
            log = made(self._program.http, log_url, self._tls_for)
        stamper = None
        stamper_url = self._stamper_url()
        if stamper_url:
            stamper = TimestampAuthority(self._program.http, stamper_url, self._tls_for)
        return Services(log=log, stamper=stamper)

    def _log_url(self) -> tuple[str, int]:
        if self._config is None:
            return self._choice.log_url, 1
        if not self._config.logs:
            return "", 0
        from countermark.formats.signing_config import choose

        found = choose(self._config.logs, self._config.log_selector, (1, 2), self._program.now())
        return found[0].url, found[0].api_version

    def _stamper_url(self) -> str:
        if self._config is None:
            return self._choice.stamper_url
        if not self._config.timestamp_authorities:
            return ""
        from countermark.formats.signing_config import choose

        services, selector = self._config.timestamp_authorities, self._config.timestamp_selector
        return choose(services, selector, (1,), self._program.now())[0].url

    def _authority_url(self) -> str:
        if self._config is None:
            if not self._choice.authority_url:
                raise InputError("no fulcio URLs provided")
            return self._choice.authority_url
        if not self._config.authorities:
            raise InputError("no fulcio URLs provided in signing config")
        from countermark.formats.signing_config import Selector, choose

        return choose(self._config.authorities, Selector(), (1,), self._program.now())[0].url

    def _issuer_url(self) -> str:
        if self._config is None:
            return self._choice.issuer_url
        if not self._config.issuers:
            raise InputError(
                "selecting OIDC issuer: the signing config has none",
                hint="give an identity token with --identity-token, or name the issuer: "
                "signing-config create --oidc-provider …",
            )
        from countermark.formats.signing_config import Selector, choose

        return choose(self._config.issuers, Selector(), (1,), self._program.now())[0].url

    def _tls_for(self, host: str) -> "HostTls":
        return self._program.certificate_folders.tls_for(host)


class Opening:
    """A key that is being opened in a thread: scrypt's quarter of a second beside the requests to a registry."""

    def __init__(self, open_key: "Callable[[], SigningKey]") -> None:
        self._open_key = open_key
        self._key: SigningKey | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._key = self._open_key()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks
            self._error = error

    def result(self) -> "SigningKey":
        """The key.

        Raises:
            Whatever opening it raised.
        """
        if self._thread.is_alive():
            _load_meanwhile()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._key is None:
            raise CountermarkError("a key was opened and is not there")
        return self._key


def _load_meanwhile() -> None:
    """Load what is needed once the key is open: it takes a tenth as long as opening it, and would come after it."""
    from countermark.adapters import registry_referrers, registry_upload
    from countermark.proofs import libcrypto, signing_keys

    del registry_referrers, registry_upload
    libcrypto.shared()
    # with the first key that it reads, and the first signature, cryptography loads the rest of itself
    signing_keys.from_pkcs8(signing_keys.generate().to_pkcs8()).sign(b"")
