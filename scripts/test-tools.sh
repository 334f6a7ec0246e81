#!/bin/sh
# What the tests need beside Python packages: a chromium for tests/browser, an nginx for tests/journeys/test_forward_auth.py.
# Installs them where that is possible without asking.
set -eu

PATH="$PATH:/usr/sbin"
missing=""
for tool in chromium nginx; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "test-tools: installing$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # RUNLEVEL: installed only, not started; the test starts its own. $missing is two words at most, and meant to be split.
    # shellcheck disable=SC2086
    if apt-get update -qq >/dev/null && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
fi
echo "test-tools: missing and not to be installed here:$missing; the tests of it will say so (Debian: apt-get install$missing)" >&2
