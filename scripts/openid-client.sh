#!/bin/sh
# Installs npm's openid-client, a relying party by other hands, for tests/journeys/test_relying_parties.py: what the lock pins, and no scripts.
set -eu
cd "$(dirname "$0")/../tests/relying_party"

wanted=$(cksum < package-lock.json)
[ "$(cat node_modules/.installed 2>/dev/null)" = "$wanted" ] && exit 0
command -v npm >/dev/null 2>&1 || { echo "openid-client: node and npm are needed (Debian: apt-get install nodejs npm)" >&2; exit 1; }
npm ci --silent --no-fund --no-audit --ignore-scripts
printf '%s' "$wanted" > node_modules/.installed
