#!/bin/sh
# Fuzzes the gate with atheris for FUZZ_SECONDS, beginning with tests/fuzz/corpus and the corpus of the tests.
#
# atheris goes into .tools/fuzz, apart from the product and its tests. A finding is an exception other than a refusal, somebody signed
# in who was not issued the response, or more than five seconds for one input; it is written to .tools/fuzz/found. `--keep` adds to
# tests/fuzz/corpus what was found to reach further.
set -eu
cd "$(dirname "$0")/.."

ATHERIS=3.0.0
seconds=${FUZZ_SECONDS:-60}
tools=$PWD/.tools/fuzz
python=.venv/bin/python
# The first release with wheels for Python 3.14 has none for 3.11, and the other way round.
"$python" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || ATHERIS=3.1.0

if ! ls "$tools/packages/atheris-$ATHERIS"* >/dev/null 2>&1; then
    uv=$(ls .venv/bin/uv .tools/uv/bin/uv 2>/dev/null | head -n 1)
    UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" "$uv" pip install --quiet --python "$python" --only-binary :all: \
        --target "$tools/packages" "atheris==$ATHERIS" || {
        echo "fuzz: atheris $ATHERIS has no wheel for this machine (Linux or macOS, Python 3.11 to 3.14)" >&2
        exit 1
    }
fi
export PYTHONPATH="$tools/packages:$PWD"

mkdir -p "$tools/new" "$tools/found"
[ -d "$tools/seeds" ] || "$python" -m tests.fuzz --seeds "$tools/seeds"
if [ "${1:-}" = --keep ]; then
    exec "$python" -m tests.fuzz -merge=1 -max_len=16384 -verbosity=0 tests/fuzz/corpus "$tools/new"
fi
"$python" -m tests.fuzz -max_total_time="$seconds" -max_len=16384 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict=tests/fuzz/saml.dict -artifact_prefix="$tools/found/" "$tools/new" tests/fuzz/corpus "$tools/seeds"
