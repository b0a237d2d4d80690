"""Keyless signing: ours with our services, beside cosign with the real Fulcio, Rekor 2 and timestamp authority."""

from bench.cosign_commands import compared, each_in_turn
from bench.measuring import Launcher, Row
from bench.sigstore import Ours, real
from bench.stack import Profile, Stack
from interop.processes import Words


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """Each signs images that have no signature yet, in our registry; cosign on our services stands beside them."""
    box, peer = Ours(stack, "keyless-registry"), real(stack, "real-sigstore")
    launcher = Launcher(stack.folder)
    own_token, their_token = box.folder / "own-token", box.folder / "their-token"
    own_token.write_text(box.token())
    their_token.write_text(peer.token())
    own: Words = ["sign", "-y", "--identity-token", own_token]
    own += ["--signing-config", box.config, "--trusted-root", box.root]
    theirs: Words = ["sign", "-y", "--identity-token", their_token, *peer.signing]
    count = max(6, profile.client_runs // 2)
    try:
        runs = {
            name: each_in_turn(launcher, box, program, words, count + 2)
            for name, program, words in (
                ("cosign sign", "ours", ["cosign", *own]),
                ("sign", "ours", [word for word in own if word != "-y"]),
                ("the real cosign sign on our services", "theirs", own),
                ("theirs", "theirs", theirs),
            )
        }
        peer_run = runs.pop("theirs")
        return compared("sign with an identity", (0.5, None), profile, peer_run, runs, count)
    finally:
        launcher.stop()
