"""To whom a login may be shown: the rule, and nothing else.

A registry names the server that hands out tokens (its realm). A login goes there only if the realm is the registry
itself on another path or port, its parent domain (gitlab.com for registry.gitlab.com), its sibling (auth.docker.io
for registry-1.docker.io), or a host that the configuration names. It must be https, or both must be loopback.
Anything else is asked for an anonymous token only, and a refusal then says why the login was not used.
"""

from countermark.adapters.http_url import Url, is_address, is_loopback

# Second labels under which country domains sell third ones: co.uk, com.au. There is no list of public suffixes in the
# standard library; this takes in the usual ones, and a miss needs a registry directly under such a suffix.
_GENERIC = frozenset(
    ("ac", "co", "com", "edu", "gob", "gov", "gouv", "go", "net", "ne", "or", "org", "mil")
)

# Domains under which everybody can have a name.
_SHARED = frozenset(
    (
        "amazonaws.com", "appspot.com", "azurecr.io", "azurewebsites.net", "cloudapp.azure.com", "cloudapp.net",
        "cloudfront.net", "ddns.net", "duckdns.org", "firebaseapp.com", "fly.dev", "github.dev", "github.io",
        "gitlab.io", "herokuapp.com", "netlify.app", "ngrok-free.app", "ngrok.app", "ngrok.io", "nip.io",
        "onrender.com", "pages.dev", "r2.dev", "run.app", "sslip.io", "trycloudflare.com", "vercel.app", "web.app",
        "workers.dev",
    )
)  # fmt: skip


def is_usable(realm: Url, server: Url) -> bool:
    """Say whether a realm may be asked at all: a server elsewhere must not send us to plain http or this machine."""
    if is_loopback(server.host):
        return realm.scheme == "https" or is_loopback(realm.host)
    return realm.scheme == "https" and not is_loopback(realm.host)


def may_see_login(realm: str, homes: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
    """Say whether the realm's host may see a login of the ``homes`` (host names); ``allowed`` is configured."""
    return realm in allowed or any(_belong_together(realm, home) for home in homes)


def _belong_together(realm: str, home: str) -> bool:
    if realm == home or (is_loopback(realm) and is_loopback(home)):
        return True
    if is_address(realm) or is_address(home):
        return False
    parent = home.partition(".")[2]
    if realm == parent or home.endswith(f".{realm}"):
        return _is_somebodys(realm)
    return realm.partition(".")[2] == parent and _is_somebodys(parent)


def _is_somebodys(domain: str) -> bool:
    """Say whether a domain belongs to one owner, rather than being one under which anybody gets a name."""
    labels = domain.split(".")
    if len(labels) < 2 or domain in _SHARED or not all(labels):
        return False
    return not (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _GENERIC)
