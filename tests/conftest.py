"""What all tests share: names of cases that are the same in every process, and a quiet property profile.

PROPERTIES=short looks at a few examples of each property, as ``make check`` does; PROPERTIES=long at many.
"""

from hypothesis import settings

from examples import PROFILE

settings.register_profile("short", max_examples=5, deadline=None)
settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("long", max_examples=400, deadline=None)
settings.load_profile(PROFILE)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: keys and sealed secrets are others in each worker process."""
    return argname if isinstance(val, bytes) else None
