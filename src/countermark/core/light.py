"""Standard names from the C modules behind them, without what their packages load besides.

``collections.abc``, ``datetime``, ``functools`` and ``hashlib`` cost a cold start some 6 ms: they import
``collections``, define a datetime in Python that is then thrown away, and enumerate OpenSSL's algorithms. Modules on
the way of a cold ``verify`` take their names here; where a C module is missing the package stands in.

The hashes are for metadata and manifests; whoever hashes gigabytes takes ``hashlib``, whose OpenSSL is faster.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import UTC, datetime, timedelta, timezone
    from functools import partial
    from hashlib import sha256, sha512
else:
    from _collections_abc import Callable, Iterable, Iterator, Mapping, Sequence

    try:
        from _functools import partial
    except ImportError:
        from functools import partial
    try:
        from _datetime import UTC, datetime, timedelta, timezone
    except ImportError:
        from datetime import UTC, datetime, timedelta, timezone
    try:
        from _sha256 import sha256
        from _sha512 import sha512
    except ImportError:
        try:
            from _sha2 import sha256, sha512  # Python 3.12 and later
        except ImportError:
            from hashlib import sha256, sha512

__all__ = [
    "UTC",
    "Callable",
    "Iterable",
    "Iterator",
    "Mapping",
    "Sequence",
    "datetime",
    "partial",
    "sha256",
    "sha512",
    "timedelta",
    "timezone",
]
