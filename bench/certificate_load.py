"""A certificate authority and a timestamp authority: what they issue in a second."""

from bench.load import Bodies, Load, shown, wrk
from bench.measuring import Row, paired_ratio, say
from bench.requests import certificate_requests, timestamp_queries
from bench.sigstore import ALICE, Ours, RealServers, real, real_timestamps
from bench.stack import Profile, Stack
from identity import ALICE as THEIR_ALICE

SIGNING, TIMESTAMP = "/api/v2/signingCert", "/api/v1/timestamp"
QUERY = "application/timestamp-query"
PREPARED = 512  # requests that are sent again and again


def certificates(stack: Stack, profile: Profile) -> list[Row]:
    """Certificates, each of which is durably in a certificate log before it is handed out."""
    own, peer = (
        Ours(stack, "certificates-ours", peer=False),
        real(stack, "certificates-real", RealServers),
    )
    asked = {}
    for name, token, who in (
        ("ours", own.token(), ALICE),
        ("theirs", peer.token(), THEIR_ALICE),
    ):
        bodies = certificate_requests(token, who, PREPARED)
        asked[name] = Bodies(stack.folder / f"certificates-{name}", bodies, once=False)
    urls = {"ours": own.server.url + SIGNING, "theirs": peer.fulcio + SIGNING}
    return _compared("certificates", "fulcio with a certificate log", 1.0, profile, urls, asked)


def timestamps(stack: Stack, profile: Profile) -> list[Row]:
    """Timestamps as cosign asks for them."""
    own, peer = (
        Ours(stack, "timestamps-ours", peer=False),
        real_timestamps(stack, "timestamps-real"),
    )
    bodies = Bodies(stack.folder / "queries", timestamp_queries(PREPARED), QUERY, once=False)
    urls = {"ours": own.server.url + TIMESTAMP, "theirs": peer.url}
    both = {"ours": bodies, "theirs": bodies}
    return _compared("timestamps", "timestamp-server", 0.5, profile, urls, both)


def _compared(
    what: str,
    peer: str,
    goal: float,
    profile: Profile,
    urls: dict[str, str],
    bodies: dict[str, Bodies],
) -> list[Row]:
    loads: dict[str, list[Load]] = {name: [] for name in urls}
    for number in range(profile.rounds):
        say(f"  {what}, round {number + 1}")
        for name, url in urls.items():
            loads[name].append(wrk(url, profile.wrk_seconds, bodies=bodies[name]))
    ratio = paired_ratio(*([load.rate for load in loads[name]] for name in ("ours", "theirs")))
    return [
        Row(
            f"{what}, 16 clients", shown(loads["ours"]), peer, shown(loads["theirs"]), ratio, goal,
            more_is_better=True,
        )
    ]  # fmt: skip
