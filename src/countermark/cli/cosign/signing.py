"""What cosign's flags say of how to sign: who, with which services, in which form."""

from countermark.assembly.cosign_signing import SigningChoice, Talk
from countermark.cli.cosign import consent
from countermark.cli.cosign.words import CosignError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.cosign_signing import Signing
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

_NO_LOG = (
    "--tlog-upload=false is not supported with --signing-config or --use-signing-config. Provide a signing config "
    "with --signing-config without a transparency log service, which can be created with `cosign signing-config "
    "create` or `curl https://raw.githubusercontent.com/sigstore/root-signing/refs/heads/main/targets/"
    "signing_config.v0.2.json | jq 'del(.rekorTlogUrls)'` for the public instance"
)
_URLS = ("fulcio-url", "rekor-url", "timestamp-server-url", "oidc-issuer")
_NEEDS_ROOT = "give the trusted root of the services that are used: --trusted-root FILE"


def choice(words: "Words", form: str) -> SigningChoice:
    """Read who signs and what proves it.

    Raises:
        CosignError: flags that contradict each other, in cosign's words.
    """
    both = {"use-signing-config", "signing-config"}
    if both <= words.given:
        raise CosignError(
            "if any flags in the group [use-signing-config signing-config] are set none of the others can be; "
            "[signing-config use-signing-config] were all set"
        )
    with_config = words.on("use-signing-config") or bool(words.text("signing-config"))
    if with_config and not words.on("tlog-upload"):
        raise CosignError(_NO_LOG)
    if with_config and any(name in words.given for name in _URLS):
        raise CosignError("cannot specify service URLs and use signing config")
    if not words.text("key") and words.text("certificate"):
        raise CosignError("a certificate belongs to a key: give --key too")
    return SigningChoice(
        key=words.text("key"),
        certificate_file=words.text("certificate"),
        chain_file=words.text("certificate-chain"),
        token=words.text("identity-token"),
        flow=words.text("fulcio-auth-flow"),
        provider=words.text("oidc-provider"),
        without_ambient=words.on("oidc-disable-ambient-providers"),
        client=words.text("oidc-client-id"),
        client_secret_file=words.text("oidc-client-secret-file"),
        redirect_url=words.text("oidc-redirect-url"),
        issuer_url=words.text("oidc-issuer"),
        config_file=words.text("signing-config"),
        urls=not with_config,
        log_url=words.text("rekor-url") if words.on("tlog-upload") else "",
        authority_url=words.text("fulcio-url"),
        stamper_url=words.text("timestamp-server-url"),
        root_file=words.text("trusted-root"),
        format=form,
    )


def parts(
    words: "Words", program: "Program", out: "Output", form: str, algorithm: str = ""
) -> "Signing":
    """What signs, as the flags have it; the codes that a person enters elsewhere go to stdout, as cosign's do.

    Raises:
        As ``choice``; CountermarkError: a file that they name is missing or wrong.
    """
    made = choice(words, form)
    talk = Talk(
        told=out.foreign_error,
        shown=lambda line: out.written(f"{line}\n"),
        agree=lambda: consent.ask(words, program, out),
    )
    return program.cosign.signing(made.replace(algorithm=algorithm) if algorithm else made, talk)
