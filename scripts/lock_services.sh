#!/bin/sh
# Writes what each image installs: services/<name>/requirements.lock, the part of requirements.lock that this service needs
# under Python 3.13, and services/build.lock, the build backend. Hashes, no addresses. Part of `make lock`.
set -eu
cd "$(dirname "$0")/.."

compile() {
    uv pip compile -q --universal --python-version 3.13 --generate-hashes --no-header --no-annotate "$@"
}

for service in directory scim-ingest sso-gateway; do
    compile --no-emit-package shared -c requirements.lock "services/$service/pyproject.toml" \
        -o "services/$service/requirements.lock" >/dev/null
done
echo 'uv-build>=0.13,<0.14' | compile - -o services/build.lock >/dev/null
