#!/bin/bash
# Install the programs that the interop tests and benchmarks compare with: from Debian's own packages, Sigstore's, crane
# and oras from their Go modules, which takes some minutes once, and sigstore-js from npm.
#
# No service of theirs is started: the tests run private instances. Go and Node come with the machine.
set -euo pipefail

packages=(
  notary docker-registry docker.io containerd runc skopeo # the reference stack
  postgresql wrk                                          # its database; load
  softhsm2 chromium chromium-driver                       # keys in a token; a browser for the sign-in page
  make python3-venv openssl ca-certificates
)

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "install-peers: installing ${missing[*]}"
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then # what is installed must not be started
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    trap 'as_root rm -f $policy' EXIT
  fi
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
else
  echo "install-peers: every Debian package is there"
fi

if command -v go >/dev/null; then
  version=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
  if [ "$(printf '1.26\n%s\n' "$version" | sort -V | head -n 1)" != 1.26 ]; then
    echo "install-peers: Go $version is too old: the conformance tests need Go 1.26 or later" >&2
    exit 1
  fi
else
  echo "install-peers: Go is missing: install Go 1.26 or later and put it on PATH; the conformance tests need it" >&2
  exit 1
fi
# name of the program, its Go package, the version that the tests are written for
go_peers=(
  "cosign github.com/sigstore/cosign/v3/cmd/cosign v3.1.3"
  "fulcio github.com/sigstore/fulcio v1.8.8"
  "rekor-server github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix v2.3.0"
  "timestamp-server github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server v2.1.3"
  "crane github.com/google/go-containerregistry/cmd/crane v0.20.6"
  "oras oras.land/oras/cmd/oras v1.3.6"
)
places=${GOBIN:-$(go env GOPATH)/bin}
mkdir -p "$places"
for peer in "${go_peers[@]}"; do
  read -r name package version <<<"$peer"
  if [ -x "$places/$name" ] && go version -m "$places/$name" | grep -qE "^[[:space:]]+mod[[:space:]].*[[:space:]]$version([[:space:]]|$)"; then
    echo "install-peers: $name $version is there"
    continue
  fi
  echo "install-peers: building $name $version"
  built=$(mktemp -d)
  GOBIN=$built go install "$package@$version"
  mv "$built"/* "$places/$name"
  rmdir "$built"
done

# sigstore-js, as its lock file has it: the packages lie beside the test that runs them
if ! command -v npm >/dev/null; then
  echo "install-peers: npm is missing: install Node 20.17 or later with npm and put both on PATH; sigstore-js needs them" >&2
  exit 1
fi
packages=$(dirname "$0")/../tests/interop/sigstore_js
if cmp -s "$packages/package-lock.json" "$packages/node_modules/installed-lock.json"; then
  echo "install-peers: sigstore-js is there"
else
  echo "install-peers: installing sigstore-js"
  npm ci --prefix "$packages" --ignore-scripts --no-audit --no-fund
  cp "$packages/package-lock.json" "$packages/node_modules/installed-lock.json"
fi
for docker in /usr/bin/docker /usr/local/bin/docker; do
  if [ -x $docker ]; then echo "install-peers: $docker is $($docker --version)"; fi
done
[ -x /usr/local/bin/docker ] || echo "install-peers: no newer docker at /usr/local/bin/docker: its tests are left out"
