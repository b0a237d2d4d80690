"""How many examples of a property are looked at: so many, or a few where PROPERTIES=short asks for quickness."""

import os

from hypothesis import settings

PROFILE = os.environ.get("PROPERTIES", "quick")
_SHORT = 5


def examples(count: int) -> settings:
    """So many in the suite, ten times as many in the long profile, a few in the short one."""
    chosen = {"short": _SHORT, "long": 10 * count}.get(PROFILE, count)
    return settings(max_examples=chosen, deadline=None)
