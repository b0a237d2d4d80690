"""Which root is believed: pins in every form, policies that name roots, first use, rotations of pinned roots."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from countermark.core.errors import ChainError, Code, ConfigError, EvidenceError
from countermark.core.signer import DctSigner
from countermark.formats.tuf import Key, SignedRoot, parse_root
from countermark.proofs import public_files, root_certificate, trusted_root
from countermark.schemes.dct.pinning import Acceptance, is_pinned, pinned_keys, root_key_ids
from countermark.schemes.dct.repository import Collection, Loader
from world import GUN, NOW, Craft, MemoryCache, TrustShelf, key

VECTORS = Path(__file__).parents[3] / "vectors" / "notary-v1" / "trustpinning"
FIRST_USE = DctSigner(name="anyone", first_use=True)


def signed_by(*names: str, certified: tuple[str, ...] = (), threshold: int = 1) -> SignedRoot:
    craft = Craft()
    craft.certified = certified or names
    craft.root_threshold = threshold
    craft.signers["root"] = names
    return parse_root(craft.root())


def pem(name: str) -> str:
    return Craft().certificate(name).raw.decode()


def public(name: str) -> str:
    return public_files.encode_public_pem(key(name).public).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "the certificate's key ID": lambda name: Craft().certificate(name).id,
    "the bare key's ID": lambda name: key(name).id,
    "the certificate": pem,
    "the public key": public,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_pin(form: str) -> None:
    pin = FORMS[form]
    root = signed_by("owner")
    assert is_pinned(root, [pin("owner")], NOW)
    assert is_pinned(root, [pin("mallory"), pin("owner")], NOW)
    assert not is_pinned(root, [pin("mallory")], NOW)
    assert not is_pinned(root, [], NOW)


@pytest.mark.parametrize("form", FORMS)
def test_a_pinned_certificate_that_is_only_listed_is_no_signature(form: str) -> None:
    """Mallory lists the owner's certificate, which everybody can download, beside her own, and signs."""
    forged = signed_by("mallory", certified=("owner", "mallory"))
    pin = FORMS[form]("owner")
    assert pinned_keys(forged, [pin], NOW) == (Craft().certificate("owner").id,)
    assert not is_pinned(forged, [pin], NOW)
    signer = DctSigner(name="owner", roots=(pin,))
    allowed = Acceptance((), [signer], NOW)(forged, None)
    with pytest.raises(ChainError, match="failed to validate integrity of roots"):
        trusted_root.check(forged, None, GUN, NOW, allowed)


def test_as_many_pinned_keys_as_the_root_demands() -> None:
    one, two, three = (key(name).id for name in ("owner", "owner2", "owner3"))
    root = signed_by("owner", "owner2", certified=("owner", "owner2", "owner3"), threshold=2)
    assert is_pinned(root, [one, two], NOW)
    assert is_pinned(root, [one, two, three], NOW)
    assert not is_pinned(root, [one], NOW)
    assert not is_pinned(root, [one, three], NOW)


@pytest.mark.parametrize(
    "text",
    [
        "not a PEM text",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----",
        "",
    ],
)
def test_a_pin_that_is_none_is_the_operators_mistake(text: str) -> None:
    with pytest.raises(ConfigError, match="root: "):
        is_pinned(signed_by("owner"), [text], NOW)


def test_a_ca_vouches_for_the_roots_that_it_issued() -> None:
    ca = (VECTORS / "ca.crt").read_text()
    assert not is_pinned(signed_by("owner"), [ca], NOW)


def test_a_ca_of_our_own() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA")])
    ca_key: Any = key("ca").object

    def issue(subject: x509.Name, public: Any, *, is_ca: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            name, subject, public, 7, NOW - timedelta(days=9), NOW + timedelta(days=900)
        )
        builder = builder.add_extension(
            x509.BasicConstraints(ca=is_ca, path_length=None), critical=True
        )
        if is_ca:
            usage = x509.KeyUsage(*(False,) * 5, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
            identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        else:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
            builder = builder.add_extension(issuer, critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    authority = issue(name, ca_key.public_key(), is_ca=True)
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, GUN)])
    leaf = issue(leaf_name, key("owner").object.public_key(), is_ca=False)
    encoding = serialization.Encoding
    from countermark.proofs.certificates import encode_pem, parse_bundle

    issued = parse_bundle(encode_pem(leaf.public_bytes(encoding.DER))).key
    craft = Craft()
    craft.certificates["owner"] = issued
    root = parse_root(craft.root())
    pin = authority.public_bytes(encoding.PEM).decode()
    assert is_pinned(root, [pin], NOW)
    assert not is_pinned(root, [pin], NOW + timedelta(days=1000)), "a CA that has ended"
    assert not is_pinned(signed_by("owner"), [pin], NOW)


# Who is believed, and when ---------------------------------------------------------------------------------


def client(cache: MemoryCache) -> Loader:
    return Loader(cache, lambda _: None)


def load(
    cache: MemoryCache, shelf: TrustShelf, *signers: DctSigner, require_pin: bool = False
) -> Collection:
    return client(cache).load(GUN, shelf, NOW, signers, require_pin=require_pin)


def pinning(name: str = "owner", first_use: bool = False) -> DctSigner:
    return DctSigner(name=name, roots=(key(name).id,), first_use=first_use)


def refused(code: Code, call: Callable[[], object]) -> None:
    with pytest.raises(EvidenceError) as caught:
        call()
    assert caught.value.code == code


def test_the_policys_root_and_no_other() -> None:
    cache, mallory = MemoryCache(), Craft(owner="mallory")
    refused(Code.PIN, lambda: load(cache, mallory.shelf(), pinning()))
    assert cache.files == {}, "another root never gets into the cache"
    assert load(cache, Craft().shelf(), pinning()).root_keys


def test_one_of_several_is_enough_to_load_and_each_is_asked_about() -> None:
    found = load(MemoryCache(), Craft().shelf(), pinning("mallory"), pinning())
    assert found.meant_by(pinning(), NOW)
    assert not found.meant_by(pinning("mallory"), NOW)


def test_a_signer_on_first_use_lets_any_root_in_and_no_more() -> None:
    found = load(MemoryCache(), Craft(owner="mallory").shelf(), FIRST_USE, pinning())
    assert not found.meant_by(pinning(), NOW)


def test_a_pin_must_be_there() -> None:
    refused(Code.FIRST_USE, lambda: load(MemoryCache(), Craft().shelf(), require_pin=True))


def pinned_cache(craft: Craft | None = None) -> MemoryCache:
    cache = MemoryCache()
    found = load(cache, (craft or Craft()).shelf())
    assert not found.is_pinned
    client(cache).pin(GUN, found)
    return cache


def test_a_pin_is_remembered() -> None:
    cache = pinned_cache()
    found = load(cache, Craft().shelf(), require_pin=True)
    assert found.is_pinned
    assert found.memory.pins == root_key_ids(found.trusted.root)


def test_a_pin_outlives_the_cache() -> None:
    """Docker deletes before it writes: a crash then makes the next use a first one."""
    for lost in (None, b"", b"{"):
        cache = pinned_cache()
        if lost is None:
            del cache.files[GUN, "root"]
        else:
            cache.files[GUN, "root"] = lost
        copy = cache.copy()
        assert load(copy, Craft().shelf()).is_pinned
        assert copy.read(GUN, "root") == Craft().root()
        refused(
            Code.PIN if lost is None else Code.MALFORMED,
            lambda cache=cache: load(cache, Craft(owner="mallory").shelf()),  # type: ignore[misc]
        )


def test_a_cached_root_that_somebody_exchanged_is_not_the_pinned_one() -> None:
    cache = pinned_cache()
    cache.files[GUN, "root"] = Craft(owner="mallory").root()
    refused(Code.PIN, lambda: load(cache, Craft(owner="mallory").shelf()))
    refused(Code.PIN, lambda: load(cache, Craft().shelf()))


def test_a_root_that_is_not_the_pinned_one_cannot_vouch_for_the_next() -> None:
    """Mallory exchanges the cached root for hers, and serves one that hers has signed."""
    cache, mallory = pinned_cache(), Craft(owner="mallory")
    cache.files[GUN, "root"] = mallory.root()
    refused(Code.PIN, lambda: load(cache, mallory.rotate("mallory's next").shelf()))


def test_a_pin_moves_along_with_a_rotation() -> None:
    cache = pinned_cache()
    rotated = Craft().rotate("owner2")
    found = load(cache, rotated.shelf())
    assert found.memory.pins == (Craft().certificate("owner2").id,)
    assert load(cache, rotated.shelf()).is_pinned
    refused(
        Code.ROOT_ROTATION,
        lambda: load(cache, Craft(owner="mallory").next("root").next("root").shelf()),
    )


def test_the_policys_roots_do_not_move_along() -> None:
    """As in notary's trust_pinning: the operator names the new one beside the old one, or instead."""
    cache = MemoryCache()
    load(cache, Craft().shelf(), pinning())
    rotated = Craft().rotate("owner2")
    refused(Code.PIN, lambda: load(cache, rotated.shelf(), pinning()))
    both = DctSigner(name="owner", roots=(key("owner").id, key("owner2").id))
    assert load(cache, rotated.shelf(), both).trusted.root.body.version == 2
    assert load(cache, rotated.shelf(), pinning("owner2")).trusted.root.body.version == 2


def test_the_policy_may_name_the_new_root_before_we_have_seen_it() -> None:
    cache = MemoryCache()
    load(cache, Craft().shelf())
    assert load(cache, Craft().rotate("owner2").shelf(), pinning("owner2")).root_keys


def test_where_the_policy_names_the_root_the_trust_folder_is_not_believed() -> None:
    """Who writes in the trust folder can say that a forged file was judged; he cannot write the policy."""
    craft = Craft()
    forged = Craft()
    forged.signers["targets"] = ("mallory",)
    cache = MemoryCache()
    load(cache, craft.shelf())
    files = forged.files()
    from hashlib import sha256

    from countermark.schemes.dct.memory import NAME, Memory

    memory = Memory.parse(cache.read(GUN, NAME))
    roles = ("root", "targets", "snapshot", "timestamp")
    judged = {role: sha256(files[role]).hexdigest() for role in roles}
    cache.files |= {(GUN, role): files[role] for role in roles}
    cache.files[GUN, NAME] = memory.replace(judged=judged).encode()
    load(cache.copy(), forged.shelf())  # on first use the folder is all there is
    refused(Code.BELOW_THRESHOLD, lambda: load(cache.copy(), forged.shelf(), pinning()))


def test_a_certificate_for_everybody_is_nobodys() -> None:
    for name in ("*", "**", "registry.example.test/team/payroll*", "registry.example.test/team/pa"):
        craft = Craft()
        issued = root_certificate.issue(key("owner"), name, NOW).key
        craft.certificates["owner"] = issued
        refused(Code.BAD_CHAIN, lambda craft=craft: load(MemoryCache(), craft.shelf()))  # type: ignore[misc]
    craft = Craft()
    prefix = root_certificate.issue(key("owner"), "registry.example.test/team/*", NOW).key
    craft.certificates["owner"] = prefix
    assert load(MemoryCache(), craft.shelf()).root_keys


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (timedelta(), None),
        (timedelta(days=1), None),  # clocks differ
        (timedelta(days=1, seconds=1), Code.BAD_CHAIN),
        (timedelta(days=-3650), None),
        (timedelta(days=-3650, seconds=-1), Code.BAD_CHAIN),
    ],
)
def test_when_a_certificate_counts(offset: timedelta, code: Code | None) -> None:
    craft = Craft()
    issued = root_certificate.issue(key("owner"), GUN, NOW + offset).key
    craft.certificates["owner"] = issued
    if code is None:
        assert load(MemoryCache(), craft.shelf()).root_keys
    else:
        refused(code, lambda: load(MemoryCache(), craft.shelf()))


def test_a_judged_root_is_judged_again_when_its_certificate_ends() -> None:
    craft = Craft()
    craft.days = dict.fromkeys(("root", "timestamp", "snapshot", "targets"), 9000)
    issued = root_certificate.issue(key("owner"), GUN, NOW - timedelta(days=3600)).key
    craft.certificates["owner"] = issued
    cache, warnings = MemoryCache(), list[str]()
    loader = Loader(cache, warnings.append)
    loader.load(GUN, craft.shelf(), NOW)
    assert warnings == [f"certificate with CN {GUN} is near expiry"]
    loader.load(GUN, craft.shelf(), NOW + timedelta(days=50))
    with pytest.raises(ChainError, match="unable to retrieve valid leaf certificates"):
        loader.load(GUN, craft.shelf(), NOW + timedelta(days=50, seconds=1))


def test_a_root_key_without_a_certificate_is_passed_over() -> None:
    craft = Craft()
    odd = Key.of("ecdsa-x509", b"no certificate")
    craft.certified = ("owner", "odd")
    craft.certificates["odd"] = odd
    craft.signers["root"] = ("owner",)
    root = parse_root(craft.root())
    assert pinned_keys(root, [odd.id], NOW) == (odd.id,)
    assert is_pinned(root, [key("owner").id], NOW)
    assert not is_pinned(root, [odd.id], NOW)
