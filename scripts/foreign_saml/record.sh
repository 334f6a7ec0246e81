#!/bin/sh
# Asks identity providers by other hands for responses, and keeps them in tests/data/saml/foreign: npm's samlp, and Debian's
# SimpleSAMLphp and Lasso.
#
# Wants node, npm and Debian 12; the tests do not, for they read what is kept. Nothing is installed: packages are unpacked in .tools.
# The answers carry the time of the recording, so each run makes other files of the same meaning.
set -eu
cd "$(dirname "$0")/../.."

SAMLP=8.0.0
here=scripts/foreign_saml
tools=$PWD/.tools/foreign-saml
debian="simplesamlphp php8.2-cli php8.2-common php8.2-xml php8.2-mbstring liblasso3 python3-lasso"

for program in node npm apt-get dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || { echo "record: $program is needed" >&2; exit 1; }
done
mkdir -p "$tools/debian"
if ! grep -qs "\"version\": \"$SAMLP\"" "$tools/node_modules/samlp/package.json"; then
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$tools" "samlp@$SAMLP"
fi
for package in $debian; do
    ls "$tools/debian/$package"_* >/dev/null 2>&1 && continue
    (cd "$tools/debian" && apt-get download -q "$package" >/dev/null)
    dpkg-deb -x "$tools/debian/$package"_* "$tools"
done

.venv/bin/python -m tests.support.saml_corpus.keys
.venv/bin/python -m tests.support.foreign_saml > "$tools/scene.json"
NODE_PATH="$tools/node_modules" node "$here/samlp.js" < "$tools/scene.json"
FOREIGN_TOOLS=$tools .venv/bin/python "$here/simplesamlphp/record.py" < "$tools/scene.json"
LD_LIBRARY_PATH="$tools/usr/lib" PYTHONPATH="$tools/usr/lib/python3/dist-packages" \
    /usr/bin/python3 "$here/lasso_idp.py" < "$tools/scene.json"

{
    echo "samlp $SAMLP"
    for package in simplesamlphp liblasso3; do
        echo "$package $(dpkg-deb -f "$tools/debian/$package"_* Version)"
    done
} > tests/data/saml/foreign/versions
cat tests/data/saml/foreign/versions
find tests/data/saml/foreign -name response.xml | wc -l
