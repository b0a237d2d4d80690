"""Transcripts: what a script of commands prints on one stack, so that it can be held against another's.

What is random or differs between stacks (addresses, homes, key IDs, digests, times) is replaced by a word for its
kind; everything else has to be equal, letter by letter.
"""

import re
from collections.abc import Mapping

from interop.processes import Outcome

_KINDS = (
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:DIGEST"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID64"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "ID12"),
    (re.compile(r"(?<=with ID )[0-9a-f]{7}\b"), "ID7"),
    (re.compile(r"(?<=\()[0-9a-f]{7}(?=\))"), "ID7"),
    (re.compile(r'time="[^"]+"'), 'time="TIME"'),
    (
        re.compile(
            r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d UTC \d{4}\b"
        ),
        "TIME",
    ),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?\b"), "TIME"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+(?=->)"), "PORT"),
)


def normal(text: str, words: Mapping[str, str]) -> str:
    """A text without what is random; ``words`` are what is this stack's own, and the word for each."""
    for own in sorted(words, key=len, reverse=True):
        text = text.replace(own, words[own])
    for pattern, kind in _KINDS:
        text = pattern.sub(kind, text)
    return text


def shown(outcome: Outcome, words: Mapping[str, str]) -> str:
    """An outcome as a transcript shows it: exit status, then stdout, then stderr."""
    out, err = (normal(stream, words) for stream in (outcome.out, outcome.err))
    return f"[exit {outcome.exit}]\n{out}" + (f"--- stderr\n{err}" if err else "")
