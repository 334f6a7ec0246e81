#!/bin/sh
# What the tests need beside Python packages: a chromium for tests/browser. Installs it where that is possible without asking.
set -eu

command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "test-tools: installing chromium" >&2
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends chromium >/dev/null; then
        exit 0
    fi
fi
echo "test-tools: no chromium here, and it could not be installed; the browser tests will say so (Debian: apt-get install chromium)" >&2
