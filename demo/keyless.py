"""Signing without keys, on a Sigstore of one's own: identities, who may not stand for whom, a log that shows it."""

import json

from story import Story

ALICE, BOB, MALLORY = (f"{name}@example.com" for name in ("alice", "bob", "mallory"))


def play(story: Story) -> None:
    """The second chapter."""
    tag = f"{story.address}/shop:v1"
    issuer = f"https://{story.address}/identity"
    run, say = story.run, story.say

    def verify(title: str, expected: int, shows: str, name: str = ALICE, more: str = "") -> None:
        command = f"countermark verify --identity {name} --issuer {issuer}{more} {tag}"
        run("carol", title, command, expected=expected, shows=shows)

    story.chapter("2  Signing without keys, on the Sigstore of the same server")
    say(
        "Alice and Mallory get accounts. Alice signs as herself: a certificate for minutes, and no key to keep."
    )
    _accounts(story)
    run("alice", "use the Sigstore", "countermark sigstore use --data server", shows=issuer)
    run("alice", "push her image", f"countermark push oci:good {tag}", shows=tag)
    run("alice", "sign as an identity", _signed("sign", "alice", tag), shows=f"by {ALICE}")

    say("Carol knows a name and who vouches for it. That is all that she believes.")
    run("carol", "use it, to verify", "countermark sigstore use --data server", shows=issuer)
    verify("the right identity is accepted", 0, "allowed")
    verify("another identity is refused", 1, f"expected is '{BOB}' (identity)", BOB)
    run(
        "carol",
        "another issuer is refused",
        f"countermark verify --identity {ALICE} --issuer https://accounts.example.com {tag}",
        expected=1,
        shows="expected is 'https://accounts.example.com' (identity)",
    )

    say(
        "Mallory overwrites the tag, and then signs what she pushed. She can sign, but only as herself."
    )
    run("mallory", "overwrite the tag", f"countermark push oci:evil {tag}")
    verify("an image that nobody signed is refused", 1, "(unsigned)")
    run("mallory", "use it, to sign", "countermark sigstore use --data server")
    run("mallory", "sign as mallory", _signed("sign", "mallory", tag), shows=f"by {MALLORY}")
    verify("somebody else's signature is refused", 1, f"subject is '{MALLORY}'")
    run("alice", "put the tag back", f"countermark push oci:good {tag}")
    verify("alice's image is accepted again", 0, "allowed")
    _attestation(story, tag, verify_with=f"--identity {ALICE} --issuer {issuer}")

    say("All of it stands in the log, which anybody can look through: Mallory's signature too.")
    run(
        "admin",
        "the log has alice's signature",
        f"countermark log search server --identity {ALICE}",
        shows=f"{ALICE} ({issuer})",
    )
    run(
        "admin",
        "and mallory's",
        f"countermark log search server --identity {MALLORY}",
        shows=MALLORY,
    )
    run("admin", "the whole log is right", "countermark log verify server", shows="are right")


def _accounts(story: Story) -> None:
    for name, address in (("alice", ALICE), ("mallory", MALLORY)):
        (story.folder / f"{name}.password").write_text(f"a long password of {name}'s\n")
        story.run(
            "admin",
            f"an account for {name}",
            f"countermark sigstore user add {address} --data server --password-stdin < {name}.password",
            shows=f"added {address}",
        )


def _signed(command: str, name: str, words: str) -> str:
    """A command that signs, with a token for the account's password."""
    token = f"countermark sigstore token {name}@example.com --data server --password-stdin < {name}.password"
    return f'countermark {command} --identity-token "$({token})" {words}'


def _attestation(story: Story, tag: str, verify_with: str) -> None:
    story.say("How it was built is stated and verified the same way.")
    build = {"buildDefinition": {"buildType": "https://example.com/make", "externalParameters": {}}}
    (story.folder / "provenance.json").write_text(json.dumps(build))
    words = f"--predicate provenance.json --type slsaprovenance1 {tag}"
    story.run("alice", "attest how", _signed("attest", "alice", words), shows="attested")
    for kind, title, expected, shows in (
        ("slsaprovenance1", "its provenance is accepted", 0, "allowed"),
        ("vuln", "a scan that nobody attested is missed", 1, "denied"),
    ):
        story.run(
            "carol",
            title,
            f"countermark verify {verify_with} --attestation {kind} {tag}",
            expected=expected,
            shows=shows,
        )
