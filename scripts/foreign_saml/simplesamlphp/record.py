"""Responses of Debian's SimpleSAMLphp, one a configuration: its own pages, served by PHP on loopback, asked like a browser does.

The scene comes on standard input. `FOREIGN_TOOLS` is the folder into which record.sh has unpacked php and SimpleSAMLphp.
"""

import base64
import html
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

HERE = Path(__file__).parent
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"


def configurations(claims: dict[str, list[str]]) -> dict[str, dict[str, object]]:
    """What an administrator may set for our service.

    `raw` writes values without a type. Nothing leaves out the namespaces of types (saml2/src/SAML2/Assertion.php, lines 1482 to
    1485) nor the end of the session (modules/saml/lib/IdP/SAML2.php, line 1180).
    """
    return {
        "default": {},
        "assertion": {"saml20.sign.assertion": True, "saml20.sign.response": False},
        "response": {"saml20.sign.assertion": False, "saml20.sign.response": True},
        "no_claims": {"attributes": ["none"]},
        "sha1": {"signature.algorithm": RSA_SHA1},
        "unsolicited": {},
        "raw": {"attributeencodings": dict.fromkeys(("uid", *claims), "raw")},
    }


def php(tools: Path, environment: dict[str, str], port: int) -> "subprocess.Popen[bytes]":
    extensions = (
        "dom",
        "mbstring",
        "simplexml",
        "xml",
        "xmlreader",
        "xmlwriter",
        "ctype",
        "iconv",
        "posix",
        "tokenizer",
    )
    [folder] = (tools / "usr/lib/php").glob("20*")
    [binary] = (tools / "usr/bin").glob("php8.*")
    command = [
        str(binary),
        "-n",
        "-d",
        f"extension_dir={folder}",
        "-d",
        "error_log=/dev/null",
        "-d",
        "display_errors=0",
    ]
    for extension in extensions:
        command += ["-d", f"extension={extension}.so"]
    site = tools / "usr/share/simplesamlphp/www"
    return subprocess.Popen(
        [*command, "-S", f"127.0.0.1:{port}", "-t", str(site)], env=environment, stderr=subprocess.DEVNULL
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str) -> str:
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    for _ in range(50):
        try:
            with opener.open(url, timeout=20) as answer:
                text: str = answer.read().decode()
                return text
        except ConnectionRefusedError:
            time.sleep(0.1)
        except OSError as error:
            if "refused" not in str(error):
                raise
            time.sleep(0.1)
    raise SystemExit("php did not start")


def record(scene: dict[str, Any], scene_file: Path, name: str, configuration: dict[str, object], work: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}/"
    environment = {
        "SCENE": str(scene_file),
        "WORK": str(work),
        "BASE_URL": base,
        "METADATA": str(HERE / "metadata"),
        "SIMPLESAMLPHP_CONFIG_DIR": str(HERE),
        "CONFIGURATION": json.dumps(configuration, separators=(",", ":")) if configuration else "[]",
        "PATH": os.environ["PATH"],
    }
    asked = {"spentityid": scene["entity_id"]} if name == "unsolicited" else {"SAMLRequest": scene["saml_request"]}
    server = php(Path(os.environ["FOREIGN_TOOLS"]), environment, port)
    try:
        page = fetch(f"{base}saml2/idp/SSOService.php?{urlencode(asked)}")
    finally:
        server.terminate()
        server.wait()
    found = re.search(r'name="SAMLResponse" value="([^"]+)"', page)
    if found is None:
        raise SystemExit(f"{name}: no response in the page\n{page[:2000]}")
    folder = Path(scene["folder"], "simplesamlphp", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "response.xml").write_bytes(base64.b64decode(html.unescape(found[1])))


def main() -> None:
    scene = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("tmp", "data"):
            (work / name).mkdir()
        (work / "foreign.key").write_text(scene["key"])
        (work / "foreign.crt").write_text(scene["certificate"])
        scene_file = work / "scene.json"
        scene_file.write_text(json.dumps(scene))
        for name, configuration in configurations(scene["claims"]).items():
            record(scene, scene_file, name, configuration, work)


main()
