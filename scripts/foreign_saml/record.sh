#!/bin/sh
# Asks identity providers by other hands for responses, and keeps them in tests/data/saml/foreign: npm's samlp and samlify, and
# Debian's SimpleSAMLphp, Lasso and OpenSAML.
#
# Wants node, npm, g++ and Debian 12 with apt's lists; the tests do not, for they read what is kept. Nothing is installed: packages
# are unpacked in .tools. What writes the answers is pinned: raise a version here when a registry has it no longer, and say so in
# the README beside the recordings. The answers carry the time of the recording, so each run makes other files of the same meaning.
set -eu
cd "$(dirname "$0")/../.."

npm_packages="samlp@8.0.0 saml@4.0.0 xml-crypto@2.1.6 samlify@2.13.1"
writers="simplesamlphp=1.19.7-1+deb12u2 liblasso3=2.8.1-1+deb12u1 libsaml12=3.2.1-3+deb12u1 libxml-security-c20=2.0.4-2"
runtimes="php8.2-cli php8.2-common php8.2-xml php8.2-mbstring python3-lasso libxmltooling10 libxerces-c3.2 liblog4shib2"
headers="libsaml-dev libxmltooling-dev libxml-security-c-dev libxerces-c-dev liblog4shib-dev libboost1.74-dev"
here=scripts/foreign_saml
tools=$PWD/.tools/foreign-saml

for program in node npm apt-get dpkg-deb g++; do
    command -v "$program" >/dev/null 2>&1 || { echo "record: $program is needed" >&2; exit 1; }
done
mkdir -p "$tools/debian"
# shellcheck disable=SC2086  # A list.
npm install --silent --no-fund --no-audit --ignore-scripts --save-exact --prefix "$tools" $npm_packages
for package in $writers $runtimes $headers; do
    name=${package%%=*} version=${package#"${package%%=*}"}
    file=$tools/debian/${name}_${version#=}
    ls "$file"* >/dev/null 2>&1 && continue
    rm -f "$tools/debian/${name}_"*
    (cd "$tools/debian" && apt-get download -q "$package" >/dev/null)
    dpkg-deb -x "$file"* "$tools"
done

.venv/bin/python -m tests.support.saml_corpus.keys
.venv/bin/python -m tests.support.foreign_saml > "$tools/scene.json"
for provider in samlp samlify; do
    NODE_PATH="$tools/node_modules" node "$here/$provider.js" < "$tools/scene.json"
done
FOREIGN_TOOLS=$tools .venv/bin/python "$here/simplesamlphp/record.py" < "$tools/scene.json"
LD_LIBRARY_PATH="$tools/usr/lib" PYTHONPATH="$tools/usr/lib/python3/dist-packages" \
    /usr/bin/python3 "$here/lasso_idp.py" < "$tools/scene.json"
libraries=$tools/usr/lib/$(g++ -print-multiarch)
g++ -std=c++17 -w -DBOOST_BIND_GLOBAL_PLACEHOLDERS -isystem "$tools/usr/include" "$here/opensaml_idp.cpp" -o "$tools/opensaml_idp" \
    -L"$libraries" -Wl,-rpath-link,"$libraries" -lsaml -lxmltooling -lxml-security-c -lxerces-c
LD_LIBRARY_PATH="$libraries" "$tools/opensaml_idp" < "$tools/scene.json"

{
    for package in samlp saml xml-crypto samlify; do
        node -p "'$package ' + require('$tools/node_modules/$package/package.json').version"
    done
    # samlify has its own, newer one.
    node -p "'samlify/xml-crypto ' + require('$tools/node_modules/samlify/node_modules/xml-crypto/package.json').version"
    for package in $writers; do
        echo "${package%%=*} $(dpkg-deb -f "$tools/debian/${package%%=*}"_* Version)"
    done
} > tests/data/saml/foreign/versions
cat tests/data/saml/foreign/versions
find tests/data/saml/foreign -name response.xml | wc -l
