"""Docker Content Trust from key to refusal, with nothing installed but this program.

Starts ``countermark serve`` (registry and trust server in one process) in a folder that is thrown away, and plays the
story: each line shows what happens, the exact command, and what came of it. Ends with a table of what was expected
and what happened; exit status 0 only if they agree.
"""

import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

COUNTERMARK = [sys.executable, "-m", "countermark"]
PASSPHRASES = {
    "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "the demo's root passphrase",
    "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "the demo's repository passphrase",
}


def colour(text: str, code: str) -> str:
    """Colour a text on a terminal."""
    return (
        f"\x1b[{code}m{text}\x1b[0m"
        if sys.stdout.isatty() and "NO_COLOR" not in os.environ
        else text
    )


class Story:
    """The people, their commands, and what came of them."""

    def __init__(self, folder: Path) -> None:
        """Prepare a home for each person in the folder."""
        self.folder = folder
        self.results: list[tuple[str, str, str, bool]] = []
        self.address = ""
        self.data = folder / "server"

    def home(self, person: str) -> Path:
        """A person's docker configuration, which trusts the demo server's CA."""
        home = self.folder / person
        ca = home / "tls" / self.address / "ca.crt"
        if not ca.exists():
            ca.parent.mkdir(parents=True)
            shutil.copy(self.data / "tls" / "ca.crt", ca)
            (home / "config.json").write_text("{}")
        return home

    def say(self, text: str) -> None:
        """Tell what comes next."""
        print(f"\n{colour(text, '1')}")

    def run(self, person: str, title: str, expected: int, *words: str, shows: str = "") -> str:
        """Run a command as a person; note whether its exit status and its words are as expected."""
        shown = " ".join(words).replace(str(self.folder) + "/", "")
        print(f"  {colour(person + '$', '36')} countermark {shown}")
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COUNTERMARK_"))
        }
        environment |= PASSPHRASES | {
            "DOCKER_CONFIG": str(self.home(person)),
            "HOME": str(self.home(person)),
            "XDG_CONFIG_HOME": str(self.home(person)),
        }
        done = subprocess.run(
            [*COUNTERMARK, *words],
            capture_output=True, text=True, env=environment, cwd=self.folder, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        text = (done.stdout + done.stderr).replace(str(self.folder) + "/", "")
        for line in text.strip().splitlines():
            print(f"    {line}")
        agreed = done.returncode == expected and shows in text
        happened = f"exit {done.returncode}" + ("" if shows in text else f", without {shows!r}")
        print(
            "    "
            + (
                colour("as expected", "32")
                if agreed
                else colour(f"NOT as expected: {happened}", "31")
            )
        )
        self.results.append(
            (title, f"exit {expected}" + (f", {shows!r}" if shows else ""), happened, agreed)
        )
        return text

    def table(self) -> int:
        """Print the table; 0 only if everything was as expected."""
        width = max(len(title) for title, *_ in self.results)
        expected_width = max(len(expected) for _, expected, *_ in self.results)
        print(f"\n{'WHAT':{width}}   {'EXPECTED':{expected_width}}   HAPPENED")
        for title, expected, happened, agreed in self.results:
            mark = colour("ok", "32") if agreed else colour("WRONG", "31")
            print(f"{title:{width}}   {expected:{expected_width}}   {happened}  {mark}")
        wrong = sum(not agreed for *_, agreed in self.results)
        print(f"\n{len(self.results) - wrong} passed, {wrong} failed")
        return 1 if wrong else 0


def image(folder: Path, text: str) -> Path:
    """Write a small OCI image whose only file holds the text."""
    layout = folder
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content: bytes) -> tuple[str, int]:
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return f"sha256:{name}", len(content)

    layer_file = folder / "layer.tar"
    content_file = folder / "message.txt"
    content_file.write_text(text)
    subprocess.run(
        [
            "tar",
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "-cf",
            layer_file,
            "-C",
            folder,
            "message.txt",
        ],
        check=True,
    )
    layer = layer_file.read_bytes()
    layer_file.unlink()
    content_file.unlink()
    layer_digest, layer_size = blob(layer)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "config": {"Cmd": ["/message.txt"]},
    }
    config_digest, config_size = blob(json.dumps(config).encode())
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest,
            "size": config_size,
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": layer_digest,
                "size": layer_size,
            }
        ],
    }
    digest, size = blob(json.dumps(manifest).encode())
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {
        "schemaVersion": 2,
        "manifests": [{"mediaType": manifest_type, "digest": digest, "size": size}],
    }
    (layout / "index.json").write_text(json.dumps(index))
    return layout


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_ready(story: Story, server: "subprocess.Popen[bytes]") -> None:
    """Ask /readyz until it answers."""
    for _ in range(200):
        if server.poll() is not None:
            raise SystemExit(f"the server ended: see {story.folder}/server.log")
        try:
            context = ssl.create_default_context(cafile=str(story.data / "tls" / "ca.crt"))
            with urllib.request.urlopen(
                f"https://{story.address}/readyz", context=context, timeout=2
            ) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not become ready within 20 s")


def play(story: Story) -> None:
    """The story."""
    repository = f"{story.address}/payment-api"
    tag = f"{repository}:v3.1.0"
    good, evil, plain = (
        image(story.folder / n, t)
        for n, t in (("good", "pay 3.1.0"), ("evil", "steal"), ("plain", "x"))
    )
    run, say = story.run, story.say

    say("Alice makes a signing key, pushes her image and signs it.")
    run("alice", "make a signing key", 0, "trust", "key", "generate", "alice", shows="alice.pub")
    run(
        "alice",
        "push and sign",
        0,
        "push",
        f"oci:{good}",
        tag,
        "--sign",
        shows=f"Successfully signed {tag}",
    )
    run("alice", "become a named signer", 0, "trust", "signer", "add", "--key", "alice.pub", "alice", repository,
        shows="Successfully added signer: alice")  # fmt: skip
    run(
        "alice",
        "sign as alice",
        0,
        "trust",
        "sign",
        tag,
        "--from-registry",
        shows="Successfully signed",
    )
    run("alice", "inspect", 0, "trust", "inspect", "--pretty", tag, shows="alice")

    say("Carol, who has never seen the repository, pulls with trust.")
    run("carol", "who vouches for it?", 0, "verify", tag, shows="allowed")
    run("carol", "trusted pull", 0, "pull", tag, "--to", "oci:carols-copy", shows="sha256:")

    say("An attacker with access to the registry overwrites the tag, without Alice's key.")
    run("mallory", "overwrite the tag", 0, "push", f"oci:{evil}", tag)
    run(
        "carol",
        "pull of the moved tag is refused",
        1,
        "pull",
        tag,
        "--to",
        "oci:carols-second",
        shows="moved-tag",
    )

    say("Alice's image is still there, by digest; then she puts the tag back.")
    digest = f"sha256:{json.loads((good / 'index.json').read_text())['manifests'][0]['digest'][7:]}"
    run(
        "carol",
        "pull by digest",
        0,
        "pull",
        f"{repository}@{digest}",
        "--to",
        "oci:carols-third",
        shows=digest,
    )
    run("alice", "put the tag back", 0, "push", f"oci:{good}", tag)
    run(
        "carol",
        "pull is accepted again",
        0,
        "pull",
        tag,
        "--to",
        "oci:carols-fourth",
        shows="sha256:",
    )

    say("An image that nobody signed.")
    run("mallory", "push unsigned", 0, "push", f"oci:{plain}", f"{story.address}/plain:v1")
    run("carol", "unsigned image is refused", 1, "pull", f"{story.address}/plain:v1", "--to", "oci:carols-plain",
        shows="unsigned")  # fmt: skip

    say(
        "Bob becomes a second signer: his public key goes to Alice, his private key never leaves him."
    )
    run("bob", "bob's key", 0, "trust", "key", "generate", "bob", shows="bob.pub")
    run(
        "alice",
        "add bob",
        0,
        "trust",
        "signer",
        "add",
        "--key",
        "bob.pub",
        "bob",
        repository,
        shows="added signer: bob",
    )
    run(
        "bob",
        "bob signs too",
        0,
        "trust",
        "sign",
        tag,
        "--from-registry",
        shows="Successfully signed",
    )
    run("carol", "both are shown", 0, "trust", "inspect", "--pretty", tag, shows="alice, bob")

    say("Alice and Bob withdraw the release.")
    run("alice", "revoke", 0, "trust", "revoke", tag, shows="Successfully deleted signature")
    run(
        "carol",
        "revoked tag is refused",
        1,
        "pull",
        tag,
        "--to",
        "oci:carols-fifth",
        shows="denied",
    )


def main() -> int:
    """Set the scene, play, clean up."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="countermark-demo-")).resolve()
    story = Story(folder)
    story.address = f"127.0.0.1:{free_port()}"
    print(f"countermark serve --data {story.data} --listen {story.address}")
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*COUNTERMARK, "serve", "--data", str(story.data), "--listen", story.address],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        wait_until_ready(story, server)
        play(story)
        status = story.table()
    finally:
        server.terminate()
        server.wait(20)
    print(f"{time.monotonic() - started:.0f} s")
    if status == 0:
        shutil.rmtree(folder)
    else:
        print(f"kept for inspection: {folder}")
    return status


if __name__ == "__main__":
    sys.exit(main())
