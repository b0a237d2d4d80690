"""What cosign's commands are made of: keys by reference, passwords, and what more they ask of outside."""

import os
import sys

from countermark.core import limits
from countermark.core.errors import (
    CountermarkError,
    EvidenceError,
    InputError,
    UnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.adapters.conditions import CelConditions
    from countermark.adapters.key_references import KeyReferences
    from countermark.adapters.kubernetes_keys import KubernetesKeys
    from countermark.adapters.password_prompt import PasswordPrompt
    from countermark.adapters.process import Finished
    from countermark.adapters.registry import RegistryClient
    from countermark.adapters.rekor_lookup import RekorLookup
    from countermark.adapters.saved_images import SavedImages, SavingImages
    from countermark.adapters.sigstore_root import SigstoreRoot, TrustedRoots
    from countermark.adapters.sigstore_services import TlsFor
    from countermark.assembly.cosign_registry import RegistryAccess
    from countermark.assembly.cosign_signing import Signing, SigningChoice, Talk
    from countermark.assembly.program import Program, Watched
    from countermark.core.reference import ImageReference, Repository, Subject
    from countermark.core.signer import CosignSigner
    from countermark.formats.bundle import LogEntry
    from countermark.formats.trusted_root import TrustedRoot
    from countermark.migration import Migration
    from countermark.mirror.mirror import Mirror
    from countermark.policy.model import Policy
    from countermark.schemes.cosign.converting import Converter
    from countermark.schemes.cosign.examination import Examination
    from countermark.schemes.cosign.material import Artifact
    from countermark.schemes.cosign.signer import CosignImageSigner
    from countermark.schemes.cosign.verifier import CosignVerifier


class _WhenAsked:
    """Trusted roots and conditions as verifiers ask for them, whose modules most verifications do without."""

    def __init__(self, cosign: "Cosign") -> None:
        self._cosign = cosign

    def trusted_root(self, name: str) -> "TrustedRoot":
        return self._cosign.roots().trusted_root(name)

    def objection(self, condition: str, statement: bytes) -> str:
        return self._cosign.conditions.objection(condition, statement)


class Cosign:
    """Makes, once each, the things that a command of cosign's may ask for."""

    def __init__(self, program: "Program") -> None:
        self._program = program
        self._made: dict[str, object] = {}
        self.has_agreed = False  # to what cosign says of public logs, which it asks once

    @property
    def prompt(self) -> "PasswordPrompt":
        """Where passwords come from."""
        from countermark.adapters.password_prompt import PasswordPrompt

        def show(text: str) -> None:
            sys.stderr.write(text)
            sys.stderr.flush()

        found = self._made.get("prompt")
        if not isinstance(found, PasswordPrompt):
            found = self._made["prompt"] = PasswordPrompt(self._program.environment, 0, show)
        return found

    @property
    def keys(self) -> "KeyReferences":
        """What ``--key`` means."""
        from countermark.adapters.key_references import KeyReferences, Secrets
        from countermark.assembly.program import clock

        program = self._program
        secrets = Secrets(self._password, self._pin)
        return KeyReferences(program.http, program.environment, program.home, secrets, clock)

    def _password(self) -> bytes:
        return self.prompt.password()

    def _pin(self, text: str) -> str:
        return self.prompt.pin(text)

    @property
    def kubernetes_keys(self) -> "KubernetesKeys":
        """Keys that are put into secrets of Kubernetes."""
        from countermark.adapters.kubernetes_keys import KubernetesKeys

        program = self._program
        return KubernetesKeys(program.http, program.environment, program.home)

    # Verifying ------------------------------------------------------------------------------------------

    def registry(self, access: "RegistryAccess") -> "RegistryClient":
        """The registry client, with the login and certificates that a command's flags name."""
        from countermark.assembly.cosign_registry import registry

        found = self._made.get("registry")
        if found is None:
            found = self._made["registry"] = registry(self._program, access)
        client: RegistryClient = found  # type: ignore[assignment]
        return client

    def subject(self, access: "RegistryAccess", reference: "ImageReference") -> "Subject":
        """What an image is now.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: the registry says so, or nothing usable.
        """
        found = self.registry(access).resolve(reference.with_default_tag())
        return found.replace(repository=reference.repository, tag=reference.tag)

    def children(self, access: "RegistryAccess", subject: "Subject") -> "list[Subject]":
        """What an index names, and what the indexes in it name; nothing of a manifest that is none.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: the registry says so.
        """
        from countermark.formats import oci

        found: list[Subject] = []
        waiting = [subject]
        seen = {subject.digest}
        while waiting:
            above = waiting.pop(0)
            content, media_type = self.registry(access).manifest(above.repository, above.digest)
            for child in oci.children(content, media_type):
                if child.is_manifest and child.digest not in seen:
                    seen.add(child.digest)
                    below = above.replace(
                        digest=child.digest, tag=None, size=child.size, media_type=child.media_type
                    )
                    found.append(below)
                    waiting.append(below)
        return found

    def manifests(self, access: "RegistryAccess", reference: "ImageReference") -> "list[Subject]":
        """What an image is now, and what its index names.

        Raises:
            As ``subject``.
        """
        found = self.subject(access, reference)
        return [found, *self.children(access, found)]

    def examine(
        self,
        access: "RegistryAccess",
        subject: "Subject",
        signer: "CosignSigner",
        trusted_root_file: str = "",
        *,
        at_once: int = limits.SIGNATURE_CONNECTIONS,
        accept_chain: bool = False,
    ) -> "Examination":
        """Hold everything beside an image against a signer."""
        from countermark.schemes.cosign import examination, verifier

        root = None
        if verifier.needs_root(signer):
            root = self.trusted_root(trusted_root_file)
        wanted = verifier.wanted_of(signer, subject, self._program.now(), root)
        wanted = wanted.replace(accept_chain=accept_chain)
        place = self.signatures_place(subject.repository)
        return examination.examine(self.registry(access), place, wanted, at_once)

    def signatures_place(self, repository: "Repository") -> "Repository":
        """Where an image's signatures lie: beside it, or in COSIGN_REPOSITORY."""
        from countermark.core.reference import ImageReference

        given = self._program.environment.get("COSIGN_REPOSITORY", "")
        return ImageReference.parse(given).repository if given else repository

    def trusted_root(self, path: str) -> "TrustedRoot":
        """The trusted root that is named, or else that of the Sigstore that is initialized.

        Raises:
            InputError: the file is missing or wrong. UnavailableError: none is named, and the other is not to be had.
        """
        from countermark.formats import trusted_root

        if not path:
            try:
                return self.sigstore().trusted_root()
            except CountermarkError as error:
                raise UnavailableError(
                    "setting trusted material: getting trusted root from TUF for new bundle "
                    f"verification: {error}",
                    hint=error.hint or "give one with --trusted-root FILE",
                ) from error
        content = self._program.files.read_bytes(path)
        if content is None:
            raise InputError(
                "setting trusted material: loading trusted root: failed to read trusted root "
                f"open {path}: no such file or directory"
            )
        try:
            return trusted_root.parse(content)
        except EvidenceError as error:
            raise InputError(f"setting trusted material: loading trusted root: {error}") from None

    def sigstore(
        self,
        mirror: str = "",
        root: bytes = b"",
        *,
        offline: bool = False,
        tls_for: "TlsFor | None" = None,
    ) -> "SigstoreRoot":
        """The trusted files of the Sigstore that is initialized, kept where cosign keeps them.

        Args:
            mirror: its TUF repository; "" for TUF_MIRROR, or the one that was initialized, or the public one.
            root: what is believed first; b"" for TUF_ROOT_JSON, or what was kept, or the public one's.
            offline: nothing is fetched.
            tls_for: what is believed of a host besides the system's roots; else what docker is told about it.
        """
        from countermark.adapters.sigstore_root import SigstoreRoot
        from countermark.assembly.program import clock

        program = self._program
        get = program.environment.get
        if not root and get("TUF_ROOT_JSON"):
            root = self.given(get("TUF_ROOT_JSON", ""))
        return SigstoreRoot(
            program.http,
            clock,
            [self.tuf_folder],
            program.warn,
            mirror=mirror or get("TUF_MIRROR", ""),
            root=root,
            offline=offline,
            tls_for=tls_for or program.certificate_folders.tls_for,
        )

    def rekor(self, url: str) -> "RekorLookup":
        """A log of the first kind, asked for entries that it has."""
        from countermark.adapters.rekor_lookup import RekorLookup

        return RekorLookup(self._program.http, url)

    # Taking images elsewhere --------------------------------------------------------------------------------

    def mirror(self, access: "RegistryAccess", out: "Watched") -> "Mirror":
        """Takes images elsewhere, with what lies beside them."""
        from countermark.mirror.mirror import Mirror

        progress = self._program.progress(out)
        return Mirror(self.registry(access), progress, self.signatures_place)

    def converter(
        self, access: "RegistryAccess", repository: "Repository", key: str, log_url: str
    ) -> "Converter":
        """Puts attestations there in the other form; ``key`` is the public key that signed, ``log_url`` a Rekor 1."""
        from countermark.schemes.cosign.converting import Converter
        from countermark.schemes.cosign.evidence import key_hint

        place = self.signatures_place(repository)
        hint = key_hint(self.keys.public_key(key).der) if key else ""

        def proven(entry: "LogEntry") -> "LogEntry":
            return self.rekor(log_url).at(entry.log_index)

        return Converter(self.registry(access), place, proven, hint, self._program.now())

    def saved_folder(self, path: str) -> "SavedImages":
        """A folder with a saved image; see ``SavedImages``."""
        from countermark.adapters.saved_images import SavedImages

        return SavedImages(path)

    def saving_folder(self, path: str) -> "SavingImages":
        """A folder that an image is saved in; see ``SavingImages``."""
        from countermark.adapters.saved_images import SavingImages

        return SavingImages(path)

    # Files that are given -------------------------------------------------------------------------------------

    def given(self, place: str) -> bytes:
        """Read a small file, a variable or a URL; see ``signed_files.read``."""
        from countermark.assembly import signed_files

        return signed_files.read(self._program, place)

    def artifact(self, place: str) -> "Artifact":
        """Take a file that is signed; see ``signed_files.artifact``."""
        from countermark.assembly import signed_files

        return signed_files.artifact(self._program, place)

    # Verifying under a policy -----------------------------------------------------------------------------

    def verifier(self, policy: "Policy", registry: "RegistryClient") -> "CosignVerifier":
        """Answers for a policy's signers that sign with cosign."""
        from countermark.schemes.cosign.verifier import CosignVerifier

        return CosignVerifier(
            registry, _WhenAsked(self), place_of=policy.signatures_of, conditions=_WhenAsked(self)
        )

    @property
    def conditions(self) -> "CelConditions":
        """Reads and judges conditions on what attestations state; it remembers what it has judged."""
        from countermark.adapters.conditions import CelConditions

        found = self._made.get("conditions")
        if not isinstance(found, CelConditions):
            found = self._made["conditions"] = CelConditions()
        return found

    def roots(self) -> "TrustedRoots":
        """Trusted roots that a policy does not spell out: the initialized Sigstore's, and the public one's.

        Made once: they hold what they have fetched, and warn once of a mirror that is away.
        """
        from countermark.adapters.sigstore_root import PUBLIC_MIRROR, SigstoreRoot, TrustedRoots
        from countermark.assembly.program import clock

        found = self._made.get("roots")
        if isinstance(found, TrustedRoots):
            return found
        program = self._program
        public = SigstoreRoot(
            program.http,
            clock,
            [self.tuf_folder],
            program.warn,
            mirror=PUBLIC_MIRROR,
            tls_for=program.certificate_folders.tls_for,
        )
        made = self._made["roots"] = TrustedRoots("", self.sigstore(), public)
        return made

    @property
    def tuf_folder(self) -> str:
        """Where cosign keeps what it has fetched."""
        given = self._program.environment.get("TUF_ROOT")
        return given or os.path.join(self._program.home, ".sigstore", "root")

    # Signing --------------------------------------------------------------------------------------------

    def signing(self, choice: "SigningChoice", talk: "Talk") -> "Signing":
        """The parts of one signing command."""
        from countermark.assembly.cosign_signing import Signing

        return Signing(self._program, self, choice, talk)

    def migration(self, signer: "CosignImageSigner") -> "Migration":
        """Signs anew what content trust vouches for."""
        from countermark.assembly.cosign_registry import RegistryAccess
        from countermark.migration import Migration
        from countermark.schemes.dct.tags import DctTags

        program = self._program
        before = DctTags(program.dct.servers, program.dct.loader)
        return Migration(before, self.registry(RegistryAccess()), signer, program.now)

    # Logins ---------------------------------------------------------------------------------------------

    @property
    def docker_config_file(self) -> str:
        """Where docker keeps logins."""
        return os.path.join(self._program.docker_folder, "config.json")

    def log_in(self, registry: str, username: str, password: str) -> str:
        """Keep a login where docker does; the file where it lies in the clear, "" where a helper has it."""
        from countermark.adapters import docker_login, process

        def run(command: "Sequence[str]", *, given: bytes) -> "Finished":
            return process.run(command, given=given, environment=self._program.environment)

        return docker_login.remember(self.docker_config_file, registry, username, password, run)
