"""Chains of certificates from a leaf to a CA at a point in time, built by ``cryptography``."""

import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from countermark.core.errors import ChainError


def check(
    leaf: bytes, intermediates: Iterable[bytes], cas: Sequence[bytes], now: datetime, depth: int
) -> None:
    """Refuse a leaf (DER) without a path to one of the CAs at this time.

    What the leaf is for does not matter, nor what the CAs are for as long as they may issue certificates.

    Raises:
        ChainError: there is no path.
    """
    # A CA that lists purposes is refused by the web's policy (its EKU must be absent or serverAuth).
    ca_policy = ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None
    )
    try:
        verifier = (
            PolicyBuilder()
            .store(Store([x509.load_der_x509_certificate(ca) for ca in cas]))
            .time(now)
            .max_chain_depth(depth)
            .extension_policies(ca_policy=ca_policy, ee_policy=ExtensionPolicy.permit_all())
            .build_client_verifier()
        )
        with warnings.catch_warnings():
            # that a common name has more than 64 characters, as those of GUNs may
            warnings.simplefilter("ignore", UserWarning)
            verifier.verify(
                x509.load_der_x509_certificate(leaf),
                [x509.load_der_x509_certificate(between) for between in intermediates],
            )
    except (VerificationError, ValueError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise ChainError(f"certificate does not lead to a pinned CA: {reason}") from None
