"""What is signed, what is logged of it, and what is trusted, each part of it wrong: tables, read as those of fields.

Statements and payloads are signed as they stand here, and log entries are proven: only what they say is wrong.
"""

import copy
import json
from base64 import b64decode
from collections.abc import Iterator

import fake_sigstore as fake
from countermark.core.errors import Code
from fake_sigstore import Document
from tamper_cosign import FORMS, KEY, SIGSTORE, Case, _in_first_log, alice, holder, leaf, statement
from tamper_fields import broken, read_table
from world import GOOD, OTHER

WANTED = (("env", "prod"),)

# A subject more is allowed, and a predicate may be missing: the type says what it is.
STATEMENT = """
_type                       malformed      malformed      malformed      -              -
subject                     -              malformed      wrong-subject  wrong-subject  ok
subject 0                   -              wrong-subject  wrong-subject  wrong-subject  -
subject 0 digest            -              wrong-subject  wrong-subject  wrong-subject  -
subject 0 digest sha256     wrong-subject  wrong-subject  wrong-subject  wrong-subject  -
subject 0 annotations       -              annotations    annotations    annotations    -
subject 0 annotations env   annotations    annotations    annotations    annotations    -
predicateType               predicate      malformed      predicate      -              -
predicate                   -              ok             -              -              -
"""
SIMPLE = """
critical                                -              malformed    malformed      wrong-subject  -
critical identity                       -              malformed    malformed      wrong-subject  -
critical identity docker-reference      wrong-subject  malformed    wrong-subject  wrong-subject  -
critical image                          -              malformed    malformed      wrong-subject  -
critical image docker-manifest-digest   malformed      malformed    malformed      wrong-subject  -
critical type                           malformed      malformed    malformed      -              -
optional                                -              annotations  annotations    annotations    -
optional env                            annotations    annotations  annotations    annotations    -
"""
BODY_2 = """
apiVersion                                                          entry  entry  entry  -      -
kind                                                                entry  entry  entry  -      -
spec                                                                -      entry  entry  entry  -
spec hashedRekordV002                                               -      entry  entry  entry  -
spec hashedRekordV002 data                                          -      entry  entry  entry  -
spec hashedRekordV002 data algorithm                                entry  entry  entry  -      -
spec hashedRekordV002 data digest                                   entry  entry  entry  entry  -
spec hashedRekordV002 signature                                     -      entry  entry  entry  -
spec hashedRekordV002 signature content                             entry  entry  entry  entry  -
spec hashedRekordV002 signature verifier                            -      entry  entry  entry  -
spec hashedRekordV002 signature verifier keyDetails                 entry  entry  entry  -      -
spec hashedRekordV002 signature verifier x509Certificate            -      entry  entry  entry  -
spec hashedRekordV002 signature verifier x509Certificate rawBytes   entry  entry  entry  entry  -
"""
# The hash of the envelope is that of its JSON as it was sent to the log, which nobody keeps: payload, signature and
# verifier bind it.
BODY_DSSE = """
apiVersion                    entry  entry  entry  -      -
kind                          entry  entry  entry  -      -
spec                          -      entry  entry  entry  -
spec envelopeHash             -      entry  entry  ok     -
spec envelopeHash algorithm   entry  entry  entry  -      -
spec envelopeHash value       ok     entry  ok     ok     -
spec payloadHash              -      entry  entry  entry  -
spec payloadHash algorithm    entry  entry  entry  -      -
spec payloadHash value        entry  entry  entry  entry  -
spec signatures               -      entry  entry  entry  entry
spec signatures 0             -      entry  entry  entry  -
spec signatures 0 signature   entry  entry  entry  entry  -
spec signatures 0 verifier    entry  entry  entry  entry  -
"""
BODY_1 = """
apiVersion                       entry  malformed  entry  -      -
kind                             entry  malformed  entry  -      -
spec                             -      entry      entry  entry  -
spec data                        -      entry      entry  entry  -
spec data hash                   -      entry      entry  entry  -
spec data hash algorithm         entry  entry      entry  -      -
spec data hash value             entry  entry      entry  entry  -
spec signature                   -      entry      entry  entry  -
spec signature content           entry  entry      entry  entry  -
spec signature publicKey         -      entry      entry  entry  -
spec signature publicKey content entry  entry      entry  entry  -
"""
# A root that cannot be read is the operator's mistake, and nothing is verified. LOG, KEY: what a log that is not the
# one leads to. Names are for people; how a key is used is said by the key.
ROOT = """
mediaType                                                    bad-config  bad-config  bad-config  -           -
tlogs                                                        -           not-logged  not-logged  not-logged  ok
tlogs 0                                                      -           not-logged  bad-config  not-logged  -
tlogs 0 baseUrl                                              checkpoint  checkpoint  checkpoint  -           -
tlogs 0 hashAlgorithm                                        bad-config  ok          ok          -           -
tlogs 0 publicKey                                            -           bad-config  bad-config  checkpoint  -
tlogs 0 publicKey rawBytes                                   checkpoint  bad-config  malformed   checkpoint  -
tlogs 0 publicKey keyDetails                                 ok          bad-config  ok          -           -
tlogs 0 publicKey validFor                                   -           bad-config  bad-config  -           -
tlogs 0 publicKey validFor start                             not-logged  bad-config  bad-config  -           -
tlogs 0 logId                                                -           bad-config  bad-config  not-logged  -
tlogs 0 logId keyId                                          not-logged  bad-config  not-logged  not-logged  -
certificateAuthorities                                       -           bad-chain   bad-chain   bad-chain   ok
certificateAuthorities 0                                     -           bad-chain   bad-config  bad-chain   -
certificateAuthorities 0 subject                             -           ok          ok          -           -
certificateAuthorities 0 subject organization                ok          ok          ok          -           -
certificateAuthorities 0 subject commonName                  ok          ok          ok          -           -
certificateAuthorities 0 uri                                 ok          ok          ok          -           -
certificateAuthorities 0 certChain                           -           bad-config  bad-config  bad-chain   -
certificateAuthorities 0 certChain certificates              -           bad-config  bad-config  bad-chain   ok
certificateAuthorities 0 certChain certificates 0            -           bad-chain   bad-config  bad-chain   -
certificateAuthorities 0 certChain certificates 0 rawBytes   bad-chain   bad-config  bad-config  bad-chain   -
certificateAuthorities 0 validFor                            -           ok          ok          -           -
certificateAuthorities 0 validFor start                      bad-chain   ok          bad-config  -           -
ctlogs                                                       -           sct         sct         sct         ok
ctlogs 0                                                     -           sct         bad-config  sct         -
ctlogs 0 baseUrl                                             ok          ok          ok          -           -
ctlogs 0 hashAlgorithm                                       bad-config  ok          ok          -           -
ctlogs 0 publicKey                                           -           bad-config  bad-config  sct         -
ctlogs 0 publicKey rawBytes                                  sct         bad-config  sct         sct         -
ctlogs 0 publicKey keyDetails                                ok          bad-config  ok          -           -
ctlogs 0 publicKey validFor                                  -           bad-config  bad-config  -           -
ctlogs 0 publicKey validFor start                            sct         bad-config  bad-config  -           -
ctlogs 0 logId                                               -           bad-config  bad-config  sct         -
ctlogs 0 logId keyId                                         sct         bad-config  sct         sct         -
timestampAuthorities                                         -           timestamp   timestamp   timestamp   ok
timestampAuthorities 0                                       -           timestamp   bad-config  timestamp   -
timestampAuthorities 0 subject                               -           ok          ok          -           -
timestampAuthorities 0 subject organization                  ok          ok          ok          -           -
timestampAuthorities 0 subject commonName                    ok          ok          ok          -           -
timestampAuthorities 0 uri                                   ok          ok          ok          -           -
timestampAuthorities 0 certChain                             -           bad-config  bad-config  timestamp   -
timestampAuthorities 0 certChain certificates                -           bad-config  bad-config  timestamp   timestamp
timestampAuthorities 0 certChain certificates 0              -           timestamp   bad-config  timestamp   -
timestampAuthorities 0 certChain certificates 0 rawBytes     timestamp   bad-config  bad-config  timestamp   -
timestampAuthorities 0 validFor                              -           ok          ok          -           -
timestampAuthorities 0 validFor start                        timestamp   ok          bad-config  -           -
"""


# What the tables are about -----------------------------------------------------------------------------------------


def _statement(digest: object, env: str) -> Document:
    found: Document = json.loads(fake.statement(digest, annotations={"env": env}))  # type: ignore[arg-type]
    return found


def _simple(digest: object, name: str, env: str) -> Document:
    where = f"registry.example.test/team/{name}:v1"
    found: Document = json.loads(fake.simple(digest, where, optional={"env": env}))  # type: ignore[arg-type]
    return found


SIGNER, STRANGER = leaf(), leaf()
BUNDLE = fake.bundle(SIGNER, statement(), stamps=SIGSTORE.stamps)
LAYER = fake.legacy(SIGNER, fake.simple(GOOD))


def _body_2(signer: fake.Leaf, bundle: Document) -> Document:
    envelope = bundle["dsseEnvelope"]
    message = fake.pae(fake.IN_TOTO, b64decode(envelope["payload"]))
    found: Document = json.loads(
        fake.body_v2(signer, message, b64decode(envelope["signatures"][0]["sig"]))
    )
    return found


def _body_1(signer: fake.Leaf, layer: fake.Layer) -> Document:
    signature = b64decode(layer.annotations["dev.cosignproject.cosign/signature"])
    found: Document = json.loads(fake.body_v1(signer, layer.content, signature))
    return found


def _body_dsse(signer: fake.Leaf, bundle: Document) -> Document:
    found: Document = json.loads(fake.body_dsse(signer, bundle["dsseEnvelope"]))
    return found


OTHERS = fake.bundle(STRANGER, fake.statement(OTHER))
SUBJECTS: dict[str, tuple[str, Document, Document]] = {
    "statement": (STATEMENT, _statement(GOOD, "prod"), _statement(OTHER, "test")),
    "payload": (SIMPLE, _simple(GOOD, "pay", "prod"), _simple(OTHER, "x", "test")),
    "body 2": (BODY_2, _body_2(SIGNER, BUNDLE), _body_2(STRANGER, OTHERS)),
    "body dsse": (BODY_DSSE, _body_dsse(SIGNER, BUNDLE), _body_dsse(STRANGER, OTHERS)),
    "body 1": (
        BODY_1,
        _body_1(SIGNER, LAYER),
        _body_1(STRANGER, fake.legacy(STRANGER, fake.simple(OTHER))),
    ),
    "root": (
        ROOT,
        json.loads(SIGSTORE.trusted_root()),
        json.loads(fake.Sigstore().trusted_root()),
    ),
}


def _logged(body: Document, kind: tuple[str, str], log: fake.Log) -> Document:
    document = copy.deepcopy(BUNDLE)
    document["verificationMaterial"]["tlogEntries"] = [log.add(fake.jcs(body), kind)]
    return document


def _in_layer(body: Document) -> fake.Layer:
    """In the first log's promise; what does not say its kind is promised all the same."""
    fresh = LAYER._replace(annotations=dict(LAYER.annotations))
    return _in_first_log(fake.jcs(body), fresh)


def _case(subject: str, name: str, made: Document, code: Code | None) -> Case:
    if subject == "statement":
        signer = holder(annotations=WANTED)
        return Case(name, lambda: fake.bundle(KEY, fake.compact(made)), code, signer)
    if subject == "payload":
        signer = holder(claims="exact", annotations=WANTED)
        return Case(name, lambda: fake.legacy(KEY, fake.compact(made)), code, signer)
    if subject == "body 2":
        kind = ("hashedrekord", "0.0.2")
        return Case(name, lambda: _logged(made, kind, SIGSTORE.log), code, alice())
    if subject == "body dsse":
        kind = ("dsse", "0.0.1")
        return Case(name, lambda: _logged(made, kind, SIGSTORE.first_log), code, alice())
    if subject == "body 1":
        return Case(name, lambda: _in_layer(made), code, alice())

    def change(root: Document) -> None:
        root.clear()
        root.update(made)

    return Case(name, FORMS["second"][0], code, alice(), root=change)


def _cases() -> Iterator[Case]:
    for subject, (table, good, other) in SUBJECTS.items():
        for path, way, code in read_table(table):
            made = broken(way, good, other, path)
            assert made is not None, (subject, path, way)
            yield _case(subject, f"{subject}: {way} {'.'.join(map(str, path))}", made, code)


INSIDE: tuple[Case, ...] = tuple(_cases())
