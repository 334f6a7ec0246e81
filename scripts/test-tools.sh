#!/bin/sh
# What the tests need beside Python packages: a chromium for tests/browser, an nginx for tests/journeys/test_forward_auth.py, node with
# npm's openid-client for tests/journeys/test_relying_parties.py, and promtool for tests/charts/test_alerts.py. Installs them where that is possible without asking.
set -eu

PATH="$PATH:/usr/sbin"
missing=""
for tool in chromium nginx npm; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
openid_client() { "$(dirname "$0")/openid-client.sh" || echo "test-tools: no openid-client here; the tests of it will say so" >&2; }
if [ -z "$missing" ]; then
    openid_client
    exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "test-tools: installing$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # RUNLEVEL: installed only, not started; the test starts its own. $missing is a few words, and meant to be split. npm brings node.
    # shellcheck disable=SC2086
    if apt-get update -qq >/dev/null && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        openid_client
        exit 0
    fi
fi
echo "test-tools: missing and not to be installed here:$missing; the tests of it will say so (Debian: apt-get install$missing)" >&2
