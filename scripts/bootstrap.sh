#!/bin/sh
# Installs what `make` needs into .venv: from the lock, hash by hash. Quick when nothing changed (one checksum).
#
# Wants nothing but a Python of 3.11 or newer with pip; python3-venv may be missing. Two at once wait for each other.
set -eu
cd "$(dirname "$0")/.."

UV=0.13.9

say() { printf '%s\n' "$*" >&2; }

checksum() {
    cat requirements.lock pyproject.toml shared/pyproject.toml services/*/pyproject.toml scripts/bootstrap.sh | cksum
}

fresh() { [ -x .venv/bin/python ] && [ "$(cat .venv/.stamp 2>/dev/null)" = "$(checksum) $PWD" ]; }

fresh && exit 0

# A folder is a lock that needs no other program. Who holds it is written inside, so that a killed one can be told.
lock=.bootstrap
waited=0
until mkdir "$lock" 2>/dev/null; do
    holder=$(cat "$lock/pid" 2>/dev/null || echo)
    if { [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; } || [ "$waited" -gt 600 ]; then
        rm -rf "$lock"
        continue
    fi
    [ "$waited" -eq 0 ] && say "bootstrap: another one is at work here; waiting"
    sleep 1
    waited=$((waited + 1))
done
echo $$ > "$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
fresh && exit 0

# The first interpreter that really runs: a name on PATH may be a shim that leads nowhere.
python=
for candidate in "${PYTHON:-}" python3.13 python3.12 python3.14 python3.11 python3 \
    "$HOME"/.pyenv/versions/3.1[1-9]*/bin/python /opt/homebrew/bin/python3 /usr/local/bin/python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Python 3.11 or newer is needed and none was found. Install it, or name it: PYTHON=/path/to/python3 make ..."
    exit 1
fi

say "bootstrap: installing into .venv with $("$python" --version 2>&1)"
# An environment that works is brought up to date; one that is broken, moved or of another Python is made anew.
usable() {
    [ "$(cat .venv/.made 2>/dev/null)" = "$PWD $("$python" --version 2>&1)" ] && .venv/bin/python -c '' 2>/dev/null
}
if usable && uv=$(ls .venv/bin/uv .tools/uv/bin/uv 2>/dev/null | head -n 1) && [ -n "$uv" ]; then
    :
elif rm -rf .venv && "$python" -m venv .venv >/dev/null 2>&1 && .venv/bin/python -m pip --version >/dev/null 2>&1; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV"
    uv=.venv/bin/uv
elif "$python" -m pip --version >/dev/null 2>&1; then
    # Debian without python3-venv: uv makes the environment itself.
    rm -rf .venv
    "$python" -m pip install --quiet --disable-pip-version-check --target .tools/uv "uv==$UV"
    uv=.tools/uv/bin/uv
    "$uv" venv --quiet --python "$(command -v "$python")" .venv
else
    say "This Python has neither venv nor pip. Install python3-venv (Debian: apt-get install python3-venv) and try again."
    exit 1
fi

printf '%s' "$PWD $("$python" --version 2>&1)" > .venv/.made
export VIRTUAL_ENV="$PWD/.venv"
# The machine's own certificates are trusted too, for those who sit behind a company's proxy.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
"$uv" pip install --quiet --require-hashes -r requirements.lock
"$uv" pip install --quiet --no-deps -e shared -e services/directory -e services/scim-ingest -e services/sso-gateway
printf '%s' "$(checksum) $PWD" > .venv/.stamp
