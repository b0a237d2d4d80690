"""A large blob over TLS: how fast one client gets it."""

import hashlib
import http.client
import os
import ssl
import time
from pathlib import Path

from bench.measuring import Row, median, paired_ratio, say
from bench.stack import Profile, Stack
from interop import peers

PIECE = 1 << 18


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """Download the same blob from each in turn."""
    registry = stack.start("blobs-registry", lambda folder: peers.Registry(folder, stack.authority))
    ours = stack.ours("ours-blobs")
    blob = os.urandom(profile.blob_mebibytes << 20)
    places = (
        (ours.address, _upload(ours.address, ours.ca, blob), ours.ca),
        (registry.address, _upload(registry.address, stack.authority.ca, blob), stack.authority.ca),
    )
    rates: tuple[list[float], list[float]] = ([], [])
    for number in range(profile.rounds * 2 + 1):
        say(f"  blob, round {number}")
        for found, (address, path, ca) in zip(rates, places, strict=True):
            rate = _download(address, path, ca, len(blob))
            if number:  # the first fills the page cache
                found.append(rate)
    return [
        Row(
            f"GET of a blob of {profile.blob_mebibytes} MiB over TLS", f"{median(rates[0]):.0f} MiB/s",
            "docker-registry", f"{median(rates[1]):.0f} MiB/s", paired_ratio(*rates), 0.8, more_is_better=True,
        )
    ]  # fmt: skip


def _connection(address: str, ca: Path) -> http.client.HTTPSConnection:
    host, _, port = address.partition(":")
    context = ssl.create_default_context(cafile=str(ca))
    return http.client.HTTPSConnection(host, int(port), context=context, timeout=120)


def _upload(address: str, ca: Path, blob: bytes) -> str:
    """Push a blob in one piece; its path."""
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    connection = _connection(address, ca)
    connection.request("POST", "/v2/bench/blob/blobs/uploads/")
    answer = connection.getresponse()
    answer.read()
    location = answer.headers["Location"].removeprefix(f"https://{address}")
    joint = "&" if "?" in location else "?"
    kind = {"Content-Type": "application/octet-stream"}
    connection.request("PUT", f"{location}{joint}digest={digest}", blob, kind)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        raise RuntimeError(f"upload: {answer.status} {text[:300]!r}")
    connection.close()
    return f"/v2/bench/blob/blobs/{digest}"


def _download(address: str, path: str, ca: Path, size: int) -> float:
    """Get it once, over a new connection; MiB a second, from the request to the last byte."""
    connection = _connection(address, ca)
    connection.connect()
    buffer, received = bytearray(PIECE), 0
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    while count := answer.readinto(buffer):
        received += count
    took = time.perf_counter() - began
    connection.close()
    if answer.status != 200 or received != size:
        raise RuntimeError(f"{answer.status}, {received} of {size} bytes")
    return size / took / (1 << 20)
