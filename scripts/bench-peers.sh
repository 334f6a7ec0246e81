#!/bin/sh
# What `python -m benchmarks.peers` and `benchmarks.logins` compare with: the xmlsec1 binary that pysaml2 calls, and python3-saml with an lxml and an
# xmlsec of its own, unpacked in .tools apart from the product and its tests.
set -eu
cd "$(dirname "$0")/.."

PYTHON3_SAML=1.16.0
tools=$PWD/.tools/peers

if ! command -v xmlsec1 >/dev/null 2>&1; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "bench-peers: installing xmlsec1" >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends xmlsec1 >/dev/null
    else
        echo "bench-peers: xmlsec1 is needed (Debian: apt-get install xmlsec1)" >&2
        exit 1
    fi
fi
if ! ls "$tools/packages/python3_saml-$PYTHON3_SAML"* >/dev/null 2>&1; then
    uv=$(ls .venv/bin/uv .tools/uv/bin/uv 2>/dev/null | head -n 1)
    UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" "$uv" pip install --quiet --python .venv/bin/python --only-binary lxml,xmlsec \
        --target "$tools/packages" "python3-saml==$PYTHON3_SAML" lxml==6.1.3 xmlsec==1.3.17
fi
