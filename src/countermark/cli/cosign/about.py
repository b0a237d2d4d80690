"""``login``, ``env`` and ``version``, in cosign's words."""

from countermark.cli.cosign.words import CosignError
from countermark.formats import strict_json
from countermark.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

COSIGN = "v3.1.3"  # whose words these are

# name -> what it is for, what it holds; * before the name: a secret
_VARIABLES = (
    ("*ACTIONS_ID_TOKEN_REQUEST_TOKEN", "is GitHub's token for asking for identity tokens", "a token"),
    ("ACTIONS_ID_TOKEN_REQUEST_URL", "is where GitHub gives identity tokens", "a URL"),
    ("*BUILDKITE_AGENT_ACCESS_TOKEN", "is the Buildkite agent's token", "a token"),
    ("BUILDKITE_AGENT_ENDPOINT", "is where the Buildkite agent is asked", "a URL"),
    ("BUILDKITE_JOB_ID", "is the Buildkite job that identity tokens name", "a job's ID"),
    ("COSIGN_DOCKER_MEDIA_TYPES", "writes docker's media types in the old format", "1 (default: 0)"),
    ("COSIGN_EXPERIMENTAL", "allows --registry-referrers-mode oci-1-1", "1 (default: 0)"),
    ("COSIGN_MAX_ATTACHMENT_SIZE", "is the largest signature or attestation", "bytes, 20K, 3M, 45MiB, 1GB"),
    ("*COSIGN_PASSWORD", "is the password of key files", "a password (default: asks)"),
    ("COSIGN_PKCS11_MODULE_PATH", "is the PKCS#11 module", "a path"),
    ("*COSIGN_PKCS11_PIN", "is the token's PIN", "a PIN (default: asks)"),
    ("COSIGN_REPOSITORY", "is where signatures lie instead of beside the image", "a repository"),
    ("GOOGLE_SERVICE_ACCOUNT_NAME", "is the Google service account to sign as", "an address"),
    ("*SIGSTORE_ID_TOKEN", "is an identity token", "a token"),
    ("SPIFFE_ENDPOINT_SOCKET", "is the SPIFFE agent's socket", "a path"),
    ("TUF_MIRROR", "is the TUF repository of the Sigstore", "a URL"),
    ("TUF_ROOT", "is where its files are kept", "a path (default: ~/.sigstore/root)"),
    ("TUF_ROOT_JSON", "is the root that is believed first", "a path"),
)  # fmt: skip


def login(words: "Words", program: "Program", out: "Output") -> int:
    """Keep a login for a registry where docker keeps it."""
    username, password = words.text("username"), words.text("password")
    if words.on("password-stdin"):
        password = program.standard_input(64 * 1024).decode("utf-8", "replace").rstrip("\r\n")
    if not username and not password:
        raise CosignError("username and password required")
    path = program.cosign.log_in(words.arguments[0], username, password)
    if path:
        out.foreign_error(
            f"\nWARNING! Your credentials are stored unencrypted in '{path}'.\n"
            "Configure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n"
        )
    out.foreign_error(f"logged in via {program.cosign.docker_config_file}")
    return 0


def env(words: "Words", program: "Program", out: "Output") -> int:
    """Print the variables that count here, secrets hidden unless asked for."""
    for marked, purpose, expected in _VARIABLES:
        name = marked.removeprefix("*")
        value = program.environment.get(name, "")
        if value and marked != name and not words.on("show-sensitive-values"):
            value = "******"
        if words.on("show-descriptions"):
            out.result(f"# {name} {purpose}")
            out.result(f"# Expects: {expected}")
        out.result(f"{name}={value}")
    return 0


def version(words: "Words", program: "Program", out: "Output") -> int:
    """Say whose program this is, and whose words it speaks."""
    if words.on("json"):
        out.written(
            strict_json.pretty(
                {"gitVersion": COSIGN, "program": "countermark", "programVersion": VERSION}
            )
            + "\n"
        )
    else:
        out.result(f"cosign: its commands in countermark {VERSION}")
        out.result("")
        out.result(f"GitVersion:    {COSIGN}")
    return 0
