"""Docker Content Trust: a key, a signed push, a thief who is refused, a second signer, a revocation."""

from images import digest
from story import Story


def play(story: Story) -> None:
    """The first chapter."""
    repository = f"{story.address}/payment-api"
    tag = f"{repository}:v3.1.0"
    run, say = story.run, story.say

    story.chapter("1  Docker Content Trust")
    say("Alice makes a signing key, pushes her image and signs it.")
    run(
        "alice",
        "make a signing key",
        "countermark trust key generate alice",
        shows="alice.pub",
    )
    run(
        "alice",
        "push and sign",
        f"countermark push oci:good {tag} --sign",
        shows=f"Successfully signed {tag}",
    )
    run(
        "alice",
        "become a named signer",
        f"countermark trust signer add --key alice.pub alice {repository}",
        shows="Successfully added signer: alice",
    )
    run(
        "alice",
        "sign as alice",
        f"countermark trust sign {tag} --from-registry",
        shows="Successfully signed",
    )
    run("alice", "inspect", f"countermark trust inspect --pretty {tag}", shows="alice")

    say("Carol, who has never seen the repository, pulls with trust.")
    run("carol", "who vouches for it?", f"countermark verify {tag}", shows="allowed")
    run("carol", "trusted pull", f"countermark pull {tag} --to oci:carols-copy", shows="sha256:")

    say("An attacker with access to the registry overwrites the tag, without Alice's key.")
    run("mallory", "overwrite the tag", f"countermark push oci:evil {tag}")
    run(
        "carol",
        "pull of the moved tag is refused",
        f"countermark pull {tag} --to oci:carols-second",
        expected=1,
        shows="moved-tag",
    )

    say("Alice's image is still there, by digest; then she puts the tag back.")
    good = digest(story.folder / "good")
    run(
        "carol",
        "pull by digest",
        f"countermark pull {repository}@{good} --to oci:carols-third",
        shows=good,
    )
    run("alice", "put the tag back", f"countermark push oci:good {tag}")
    run(
        "carol",
        "pull is accepted again",
        f"countermark pull {tag} --to oci:carols-fourth",
        shows="sha256:",
    )

    say("An image that nobody signed.")
    run("mallory", "push unsigned", f"countermark push oci:plain {story.address}/plain:v1")
    run(
        "carol",
        "unsigned image is refused",
        f"countermark pull {story.address}/plain:v1 --to oci:carols-plain",
        expected=1,
        shows="unsigned",
    )
    _second_signer(story, repository, tag)


def _second_signer(story: Story, repository: str, tag: str) -> None:
    run, say = story.run, story.say
    say("Bob becomes a second signer: his public key goes to Alice, his private key stays his.")
    run("bob", "bob's key", "countermark trust key generate bob", shows="bob.pub")
    run(
        "alice",
        "add bob",
        f"countermark trust signer add --key bob.pub bob {repository}",
        shows="added signer: bob",
    )
    run(
        "bob",
        "bob signs too",
        f"countermark trust sign {tag} --from-registry",
        shows="Successfully signed",
    )
    run(
        "carol",
        "both are shown",
        f"countermark trust inspect --pretty {tag}",
        shows="alice, bob",
    )

    say("Alice and Bob withdraw the release.")
    run(
        "alice",
        "revoke",
        f"countermark trust revoke {tag}",
        shows="Successfully deleted signature",
    )
    run(
        "carol",
        "revoked tag is refused",
        f"countermark pull {tag} --to oci:carols-fifth",
        expected=1,
        shows="denied",
    )
