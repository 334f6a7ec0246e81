#!/bin/sh
# Asks npm's scim-patch, an implementation of PATCH by other hands, and keeps its answers in tests/data/scim/scim-patch.jsonl.
#
# Wants node and npm; the tests do not, for they read what is kept. Run it after changing tests/support/rfc_patches.py.
set -eu
cd "$(dirname "$0")/.."

VERSION=0.8.3
tool=.tools/scim-patch

command -v npm >/dev/null 2>&1 || { echo "scim-patch: node and npm are needed (Debian: apt-get install nodejs npm)" >&2; exit 1; }
if ! grep -qs "\"version\": \"$VERSION\"" "$tool/node_modules/scim-patch/package.json"; then
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$tool" "scim-patch@$VERSION"
fi
# The first line says of which cases the answers are.
{
    .venv/bin/python -m tests.support.rfc_patches --checksum
    .venv/bin/python -m tests.support.rfc_patches | NODE_PATH="$tool/node_modules" node scripts/scim-patch.js
} > tests/data/scim/scim-patch.jsonl.new
mv tests/data/scim/scim-patch.jsonl.new tests/data/scim/scim-patch.jsonl
wc -l tests/data/scim/scim-patch.jsonl
