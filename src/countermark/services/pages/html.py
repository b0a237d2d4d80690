"""HTML written safely: every text is escaped, nothing is loaded from elsewhere, nothing runs.

A page is styled by one style sheet inside it, which its policy (CSP 3) names by its hash; so a text that got into a
page unescaped could neither run nor load anything.
"""

import binascii
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from countermark.core.ports_hosting import Response
from countermark.core.text import harmless

STYLE = """\
:root{color-scheme:light dark;--ground:#f4f4f1;--card:#fff;--ink:#1d1d1b;--faint:#5c5c57;--line:#c9c9c2;
--act:#1f5f4a;--on-act:#fff;--bad:#a3241d;--bad-ground:#fbeceb;--mark:#eef4f1}
@media(prefers-color-scheme:dark){:root{--ground:#161614;--card:#20201d;--ink:#ededea;--faint:#a9a9a2;--line:#46463f;
--act:#7cc4a8;--on-act:#10201a;--bad:#ffb0a8;--bad-ground:#3a1c1a;--mark:#1b2a24}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;padding:1.5rem;
background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:26rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:2rem}
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem}
p{margin:0 0 1rem;overflow-wrap:anywhere}
.by{margin:0 0 1.25rem;color:var(--faint);font-size:.875rem;letter-spacing:.02em}
.faint{color:var(--faint);font-size:.9rem}
label{display:block;font-weight:600;margin:0 0 .25rem}
input{width:100%;font:inherit;color:inherit;background:var(--card);border:1px solid var(--faint);border-radius:.4rem;
padding:.6rem .75rem;margin:0 0 1rem}
button{width:100%;font:inherit;font-weight:600;border-radius:.4rem;padding:.65rem 1rem;margin:0 0 .6rem;
cursor:pointer;border:1px solid var(--act);background:var(--act);color:var(--on-act)}
button.second{background:none;color:var(--ink);border-color:var(--faint);font-weight:400}
:focus-visible{outline:3px solid var(--act);outline-offset:2px}
.problem{background:var(--bad-ground);color:var(--bad);border-left:4px solid var(--bad);padding:.6rem .75rem}
.code{display:block;font:600 1.15rem/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;background:var(--mark);
border:1px solid var(--line);border-radius:.4rem;padding:.75rem;margin:0 0 1rem;overflow-wrap:anywhere;
user-select:all}
.large{font-size:1.6rem;text-align:center;letter-spacing:.12em}
details{margin:.5rem 0 0}summary{cursor:pointer;margin:0 0 1rem;color:var(--faint)}
dl{margin:0 0 1rem;font-size:.9rem}dt{color:var(--faint)}dd{margin:0 0 .4rem;overflow-wrap:anywhere}"""

_HASH = binascii.b2a_base64(sha256(STYLE.encode()).digest(), newline=False).decode()


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def text(content: str) -> Html:
    """Show a text of anybody's: escaped, and without characters that only pretend."""
    return Html(escape(harmless(content), quote=True))


def element(tag: str, *inside: str, **attributes: str | bool) -> Html:
    """Make an element; what is no ``Html`` inside is escaped. ``class_`` stands for Python's own word."""
    words = [tag]
    for name, value in attributes.items():
        if value is True:
            words.append(name)
        elif value is not False:
            words.append(f'{name.rstrip("_").replace("_", "-")}="{text(value)}"')
    opening = f"<{' '.join(words)}>"
    if tag in ("input", "meta", "br"):
        return Html(opening)
    return Html(f"{opening}{joined(*inside)}</{tag}>")


def joined(*parts: str) -> Html:
    """Put parts one after the other."""
    return Html("".join(part if isinstance(part, Html) else text(part) for part in parts))


def answer(
    title: str,
    parts: Sequence[Html],
    *,
    status: int = 200,
    may_lead_to: str = "",
    headers: Sequence[tuple[str, str]] = (),
) -> Response:
    """Answer with a page.

    Args:
        title: of the page, and its heading.
        parts: what is below it.
        status: HTTP's.
        may_lead_to: where the answer to a form may redirect, besides here: browsers hold that against the policy too.
        headers: further ones.
    """
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", f"{title} · Countermark"),
        Html(f"<style>{STYLE}</style>"),
    )
    body = element(
        "main", element("p", "Countermark", class_="by"), element("h1", title), joined(*parts)
    )
    page = f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'
    actions = f"'self' {may_lead_to}".strip()
    policy = (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action {actions}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return Response(
        status=status,
        headers=(
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", policy),
            ("X-Frame-Options", "DENY"),
            # same-origin, since with no-referrer browsers say "Origin: null" where a form is sent
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
            *headers,
        ),
        body=page.encode("utf-8", "backslashreplace"),
    )
