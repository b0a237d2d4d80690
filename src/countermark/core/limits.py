"""Every bound on untrusted input, in one table, with its reason.

Sizes are bytes, times seconds. A number without another's choice beside it is ours alone.
"""

KIB = 1024
MIB = 1024 * KIB

# JSON -----------------------------------------------------------------------------------------
JSON_BYTES = 16 * MIB  # any JSON not bounded more closely below
JSON_DEPTH = 64  # TUF needs 7, OCI 6; deeper is an attack on a recursive parser
JSON_INTEGER = 2**53 - 1  # beyond it Go's canonical JSON (float64) no longer agrees with itself

# Notary v1 (notary/const.go and storage/httpstore.go, v0.7.0) ------------------------------------
TIMESTAMP_BYTES = 1 * MIB  # notary: MaxTimestampSize
METADATA_BYTES = 100 * MIB  # notary: MaxDownloadSize, for a file whose length nobody has signed
KEY_RESPONSE_BYTES = 256 * KIB  # notary: maxKeySize
ERROR_BODY_BYTES = 1 * KIB  # notary reads no more of an error body
ROLE_NAME_CHARS = 255  # notary: a role name is shorter than 256; its database column too
DELEGATIONS = 1_000  # roles of one tree; every one is downloaded. notary: none
ROOT_ROTATIONS = 1_024  # root files fetched one by one after a long absence. python-tuf: 256
SIGNATURES_PER_FILE = 256  # each costs a verification. notary: none

# Notary v1 server --------------------------------------------------------------------------------
# a whole publish: one file at the client's own limit, and room for the rest
UPLOAD_BYTES = 110 * MIB
UPLOAD_PARTS = 256  # roles in one publish. notary: none
# a publish is made anew this often when others publish to the same repository meanwhile
PUBLICATION_TRIES = 8
PENDING_KEYS = 10_000  # keys made for repositories that were never published. notary: none
PENDING_KEY_SECONDS = 86_400  # how long such a key is kept when there are too many of them
GUN_CHARS = 255  # notary's database column
CHANGEFEED_RECORDS = 1_000  # one page. notary: none

# Registry (OCI distribution 1.1) -------------------------------------------------------------------
# distribution-spec: registries should take 4 MiB; distribution and containerd: 4 MiB
MANIFEST_BYTES = 4 * MIB
INDEX_MANIFESTS = 4_096  # children of one index
LAYERS = 4_096  # of one image; moby stops at 125
TAG_PAGE = 1_000  # tags in one answer when the client asks for no number
TOKEN_BYTES = 256 * KIB  # answer of a token server
BLOB_CHUNK = 1 * MIB  # read or written at once

# Registry that we host ---------------------------------------------------------------------------------
UPLOADED_BLOB_BYTES = 64 * 1024 * MIB  # one blob. ECR: 52,000 MiB; distribution: none
TAGS_PER_PUSH = 100  # `tag` parameters of one manifest. distribution-spec: at least 10
MEDIA_TYPE_CHARS = 255  # RFC 6838: 127 each for type and subtype

# HTTP client ---------------------------------------------------------------------------------------
CONNECT_SECONDS = 30.0  # docker's trust client: 30
# between two reads of one answer; docker's trust client: none, so it hangs for ever
READ_SECONDS = 60.0
HEADER_BYTES = 64 * KIB  # all header lines of one answer; Go: 1 MiB
HEADER_LINES = 128
AHEAD_BYTES = 32 * KIB  # of requests sent before the first answer is read; socket buffers hold more
# of each answer to them; what is said to be longer is asked for alone
AHEAD_ANSWER_BYTES = 64 * KIB
AHEAD_SECONDS = 10.0  # between two reads of answers asked for ahead; then each is asked for alone
REDIRECTS = 5  # Go and curl: 10, 50
RETRIES = 2  # further tries of an idempotent request that met 429, 502, 503, 504 or a reset
RETRY_PAUSES = (0.2, 1.0)  # before each further try, unless Retry-After says another time
RETRY_AFTER_SECONDS = 10.0  # the longest Retry-After that is waited for
ANSWER_SECONDS = 300.0  # all waiting for one request, redirects and retries included; Go: none
SLOWEST_BYTES_PER_SECOND = 4 * KIB  # each body byte allows so much more waiting; less is a drip
INTERIM_ANSWERS = 5  # 1xx before the answer; Go: 5
CHUNK_LINE_BYTES = 1 * KIB  # a chunk's size and extensions; Go: 4 KiB
UNREAD_BYTES = 64 * KIB  # of a body nobody wants, read so that the connection can be used again
IDLE_CONNECTIONS = 8  # kept per server
IDLE_SECONDS = 55.0  # kept so long; load balancers close after 60
IDLE_SECONDS_ONCE = 5.0  # the same before a request that must not be sent twice
CHALLENGES = 16  # in one WWW-Authenticate
TOKENS = 1_000  # remembered before those that have expired are looked for
PAGES = 1_000  # of one list (tags, referrers)
DOCKER_CONFIG_BYTES = 1 * MIB  # config.json, auth.json, a context's meta.json
UPLOAD_CHUNK_BYTES = 32 * MIB  # of a large blob, held in memory so that it can be sent again
UPLOAD_WHOLE_BYTES = 128 * MIB  # blobs up to here go in one request
UPLOAD_RESUMES = 3  # of one chunk

# Signatures beside an image (cosign) -----------------------------------------------------------------
# looked at; the rest is told of. cosign: 1,000 layers, any number of referrers
SIGNATURES_PER_IMAGE = 1_000
SIGNATURE_BYTES = 32 * MIB  # one bundle or layer, with an SBOM in it perhaps. cosign: 128 MiB
# of all of one image together; they are in memory at once. cosign: none
SIGNATURES_BYTES = 256 * MIB
# a file that is signed, where it has to be held whole: pipes, URLs, Ed25519. cosign: none
HELD_ARTIFACT_BYTES = 1024 * MIB
SIGNATURE_CONNECTIONS = 8  # to a registry at once; as many as are kept
TUF_FILE_BYTES = 5 * MIB  # of Sigstore's TUF repositories. python-tuf: 5,000,000
TUF_ROTATIONS = 256  # root files fetched one by one. python-tuf: 256
SIGNED_TIMESTAMP_BYTES = 64 * KIB  # one, with its authority's certificates 8 KiB at most
SIGNED_TIMESTAMPS = 32  # of one signature. sigstore-go: 32
TIMESTAMP_QUERY_BYTES = 16 * KIB  # 56 are usual. timestamp-authority: 1 MiB
TIMESTAMP_QUERY_JSON_BYTES = 1 * KIB  # the same in JSON. timestamp-authority: 1 KiB
SIMPLE_SIGNING_BYTES = 1 * MIB  # a payload names one image; annotations are what makes it long
STATEMENT_SUBJECTS = 1_024  # sigstore-go: 1,024
SUBJECT_DIGESTS = 32  # of one subject. sigstore-go: 32
SUBJECT_ANNOTATIONS = 256  # of one subject. sigstore-go: none
BUNDLE_ENTRIES = 32  # log entries of one bundle. sigstore-go: 32
BUNDLE_TIMESTAMPS = 32  # sigstore-go: 32
BUNDLE_CERTIFICATES = 8  # as long as a chain may be
TRUSTED_ROOT_BYTES = 4 * MIB  # trusted_root.json; the public one has 30 KiB
TRUSTED_ROOT_ENTRIES = 256  # of each kind; the public one has 2 to 4
NOTE_BYTES = 1 * MIB  # a signed note. sumdb: 1 MB
NOTE_SIGNATURES = 100  # sumdb: 100
PROOF_HASHES = 64  # of an inclusion proof: a tree of 2^64 entries
SAVED_BLOBS = 100_000  # files in a folder of saved images that are looked through for referrers
LOGGED_ENVELOPE_BYTES = 32 * MIB  # sent whole to a Rekor 1, whose own limit is unknown. rekor: none
LOGGED_ENVELOPE_USUAL_BYTES = 1 * MIB  # beyond it a log's 5xx is probably about the size
CONDITION_CHARS = 8 * KIB  # of one condition on an attestation
CONDITION_SECONDS = 5.0  # to judge one; an SBOM of 1,000 packages takes 0.02
CONDITIONS_KNOWN = 256  # outcomes remembered, so that copies of a statement are judged once
CONDITION_BYTES = 1024 * MIB  # of memory to judge one in, the interpreter's own mappings included

# Log that we host -----------------------------------------------------------------------------------------
LOG_REQUEST_BYTES = 4 * MIB  # what asks for an entry. rekor-tiles: 4 MiB
LOG_BATCH = 1_024  # entries that become durable together. tessera: 256
LOG_WAITING = 4_096  # entries on their way; more are pushed back. tessera: 4,096
LOG_SECONDS = 25.0  # the longest that an entry waits for its turn; clients wait 30
LOG_CONFLICTS = 8  # a batch is made anew this often when another process was faster
LOG_FOUND = 10_000  # entries that a search gives
WITNESS_SECONDS = 5.0  # for a witness to answer. tessera: 10
WITNESS_PAUSE_SECONDS = 30.0  # one that did not answer is not asked again so long
WITNESS_ANSWER_BYTES = 64 * KIB

# Signing certificates -----------------------------------------------------------------------------------
CERTIFICATE_BYTES = 64 * KIB  # one, DER; Fulcio's have 1 KiB, with a GitHub workflow's extensions 2
CHAIN_CERTIFICATES = 8  # from leaf to root. sigstore-python: 3; Go: none
CHAIN_CANDIDATES = 64  # certificates among which a chain is looked for
CHAIN_SIGNATURE_CHECKS = 64  # while looking for it. Go: 100
CERTIFICATE_CHAIN_BYTES = 512 * KIB  # JSON that brings a certificate log one. trillian: none
# of a certificate log, whatever number is asked for. trillian: 50 to 1,000
LOG_ENTRIES_PER_ANSWER = 256
CERTIFICATE_REQUEST_BYTES = 4 * MIB  # what asks an authority of ours for one. Fulcio: 4 MiB
SCTS_PER_CERTIFICATE = 16  # sigstore-python: 1; the web's have 2 to 5

# Key files -----------------------------------------------------------------------------------------
KEY_FILE_BYTES = 1 * MIB  # docker reads 1 MiB of a public key
KDF_ITERATIONS = 10_000_000  # the most that a foreign key file may ask of us

# Identity tokens and our own issuer of them ------------------------------------------------------------
TOKEN_CHARS = 16 * KIB  # GitHub's have 2 KiB; Go reads 1 MiB of headers
TOKEN_HEADER_BYTES = 1 * KIB  # of it
DISCOVERY_BYTES = 256 * KIB  # an issuer's discovery document
KEY_SET_BYTES = 256 * KIB  # an issuer's keys; with X.509 chains in them Entra's have 20 KiB
KEY_SET_KEYS = 100
KEY_SET_SECONDS = 3_600.0  # for so long they are not asked for again
KEY_SET_REFRESH_SECONDS = 60.0  # nor sooner than this for a key that is not among them
KEY_SET_STALE_SECONDS = 86_400.0  # and for so long they count while the issuer is out of reach
ISSUERS_KNOWN = 1_000  # whose keys are remembered: patterns let a token name any. Fulcio: 100
ISSUER_FETCHES = 4  # at once
FORM_BYTES = 32 * KIB  # a form, as browsers and programs send it to the issuer
FORM_FIELDS = 64
FORM_FIELD_CHARS = 8 * KIB  # one value of it
CODES = 10_000  # authorization codes on their way
DEVICES = 10_000  # devices that wait for somebody to let them in
DEVICES_PER_CLIENT = 100  # of one address, which may be a whole company's
USER_CODE_GUESSES = 20  # wrong codes of devices from one address, in USER_CODE_GUESS_SECONDS
USER_CODE_GUESS_SECONDS = 60.0
# wrong passwords for one account from anywhere in an hour (NIST SP 800-63B: 100)
PASSWORD_GUESSES = 100
PASSWORD_GUESS_SECONDS = 3_600.0
REDEEMED_CODES = 10_000  # remembered, so that a second use is noticed

# Policy and configuration (the operator's own, yet an importer or a stranger may have written them) ----
POLICY_BYTES = 1 * MIB
POLICY_RULES = 10_000  # loading compares rules of equal rank with each other
# choices of signers that can fulfil one requirement; the decision may try each
POLICY_WAYS = 20_000
YAML_DEPTH = 32  # the policy language needs 8
KUBERNETES_BYTES = 16 * MIB  # of a file of manifests; the API server takes 3 MiB each
KUBERNETES_DEPTH = 100  # custom resources nest deeply, their definitions more
LAST_GOOD_SECONDS = 30 * 24 * 3600.0  # the longest that a last good answer may count
CLAIM_MEMORY_BYTES = 256 * KIB  # what is remembered of one signer about one image
