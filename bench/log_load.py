"""A transparency log: entries a second, and how long each waits until it is durable and proven."""

from bench.load import Bodies, Load, shown, wrk
from bench.measuring import Row, median, paired_ratio, say
from bench.requests import log_entries
from bench.sigstore import Ours, RealServers, real
from bench.stack import Profile, Stack

PATH = "/api/v2/log/entries"
MOST_A_SECOND = 3000  # as many entries are made beforehand as could ever be sent
MOST_MILLISECONDS = 50.0


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """The same entries to each in turn, from sixteen clients."""
    own, peer = Ours(stack, "log-ours", peer=False), real(stack, "log-real", RealServers)
    loads: dict[str, list[Load]] = {"ours": [], "theirs": []}
    for number in range(profile.rounds):
        say(f"  log entries, round {number + 1}")
        entries = log_entries(MOST_A_SECOND * profile.wrk_seconds)
        bodies = Bodies(stack.folder / "entries", entries, once=True)
        for name, url in (("ours", own.server.url), ("theirs", peer.rekor)):
            loads[name].append(wrk(url + PATH, profile.wrk_seconds, bodies=bodies))
    rates = [[load.rate for load in loads[name]] for name in ("ours", "theirs")]
    waits = [median([load.p50_milliseconds for load in loads[name]]) for name in ("ours", "theirs")]
    return [
        Row(
            "log entries, 16 clients", shown(loads["ours"]), "rekor-server", shown(loads["theirs"]),
            paired_ratio(*rates), 30.0, more_is_better=True,
        ),
        Row(
            f"log entries, 16 clients: p50 (goal: {MOST_MILLISECONDS:.0f} ms)", f"{waits[0]:.1f} ms",
            "rekor-server", f"{waits[1]:.0f} ms", waits[0] / waits[1], MOST_MILLISECONDS / waits[1],
            more_is_better=False,
        ),
    ]  # fmt: skip
