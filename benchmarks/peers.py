"""`python -m benchmarks.peers`: what it costs to verify a response: ours, three libraries, and the floor, turn and turn about.

    ours           gate and profile, as the service calls them
    pysaml2        stock: its own configuration for one company, made once; verifies by the xmlsec1 binary
    python3-saml   strict, settings made once; in a process of its own (`peer_python3_saml.py`), for it has its own libraries
    signxml        the signature alone, of each signed element; nothing of the profile
    floor          parse, two canonicalizations, two digests, one RSA verification: the same octets, and nothing else

Processor time of a process and of the children it waited for. Then whole logins, through all three services.
Wants what scripts/bench-peers.sh installs. `--verify-only` leaves the logins out.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from benchmarks import suite
from benchmarks.gate import ACS, ENTITY_ID, REQUEST_ID, Case, case, verifier_of
from benchmarks.measure import Result, median_result
from benchmarks.peer_app import Told

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / ".tools" / "peers" / "packages"
RESULTS = Path(__file__).parent / "results"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
TIMES = {"ours": 100, "floor": 300, "signxml": 60, "python3-saml": 60, "pysaml2": 4}
"""In a round: half a second or less of each."""
ROUNDS = 7

Once = Callable[[], object]
Measure = Callable[[int], float]
"""So many times -> processor milliseconds of one."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--verify-only", action="store_true", help="without the logins through all services")
    verify_only = parser.parse_args().verify_only
    subprocess.run([ROOT / "scripts" / "bench-peers.sh"], check=True)
    now = datetime.now(UTC)
    documents = {
        "usual, assertion signed": case(now),
        "response and assertion signed": case(now, signed="both"),
        "150 groups, assertion signed": case(now, groups=150),
    }
    verified = {name: compared(given, now) for name, given in documents.items()}
    print(table(verified), flush=True)
    logins = [] if verify_only else whole_logins()
    for login in logins:
        print(f"{login.name}: {login.processor_total_ms:.2f} ms CPU, {login.per_second:.0f} a second")
    if not verify_only:
        _write(documents, verified, logins)
    return 0


def compared(given: Case, now: datetime, *, rounds: int = ROUNDS) -> dict[str, float]:
    """Median processor milliseconds of a verification, by who verifies; the rounds interleaved."""
    with ExitStack() as stack:
        peers: dict[str, Measure] = {
            "ours": here(verifier_of(given, now)),
            "floor": here(floor(given)),
            "signxml": here(by_signxml(given)),
            "python3-saml": there(given, stack),
            "pysaml2": here(by_pysaml2(given)),
        }
        for name, measure in peers.items():
            measure(max(1, TIMES[name] // 10))  # warm
        measured = [{name: measure(TIMES[name]) for name, measure in peers.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in measured) for name in peers}


def told(given: Case) -> Told:
    return Told(ACS, ENTITY_ID, given.issuer, given.certificate, "https://login.example.com/saml2")


def here(once: Once) -> Measure:
    def measure(times: int) -> float:
        before = _used_s()
        for _ in range(times):
            once()
        return (_used_s() - before) * 1000 / times

    return measure


def _used_s() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def there(given: Case, stack: ExitStack) -> Measure:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peer_python3_saml"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.stdin.close)
    case_told = {"told": asdict(told(given)), "document": given.form, "signed": given.signed, "request_id": REQUEST_ID}
    process.stdin.write(json.dumps(case_told) + "\n")

    def measure(times: int) -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{times}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return measure


def by_pysaml2(given: Case) -> Once:
    from saml2 import BINDING_HTTP_POST
    from saml2.client import Saml2Client

    from benchmarks.peer_pysaml2_app import config_of

    config = config_of(told(given), want_response_signed=given.signed == "both", allow_unsolicited=False)
    client, form = Saml2Client(config=config), given.form

    def once() -> object:
        response = client.parse_authn_request_response(form, BINDING_HTTP_POST, outstanding={REQUEST_ID: "/"})
        assert response.name_id.text == "anna@contoso.com"
        return response

    return once


def by_signxml(given: Case) -> Once:
    from signxml.verifier import XMLVerifier

    form = given.form

    def once() -> object:
        root = etree.fromstring(base64.b64decode(form))
        signed = [
            one
            for one in (root, root.find(f"{SAML}Assertion"))
            if one is not None and one.find(f"{DS}Signature") is not None
        ]
        for element in signed:
            octets = etree.tostring(element, with_tail=False)
            XMLVerifier().verify(octets, x509_cert=given.certificate, id_attribute="ID")
        assert len(signed) == (2 if given.signed == "both" else 1)
        return signed

    return once


def floor(given: Case) -> Once:
    public = x509.load_pem_x509_certificate(given.certificate.encode()).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    form = given.form

    def once() -> object:
        root = etree.fromstring(base64.b64decode(form), etree.XMLParser(resolve_entities=False))
        assertion = root.find(f"{SAML}Assertion")
        assert assertion is not None
        for element in (assertion, root) if given.signed == "both" else (assertion,):
            signature = element.find(f"{DS}Signature")
            assert signature is not None
            info = signature.find(f"{DS}SignedInfo")
            assert info is not None
            value = base64.b64decode(signature.findtext(f"{DS}SignatureValue") or "")
            octets = etree.tostring(info, method="c14n", exclusive=True, with_comments=False)
            public.verify(value, octets, padding.PKCS1v15(), hashes.SHA256())
            at = element.index(signature)
            element.remove(signature)
            content = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            assert info.findtext(f".//{DS}DigestValue") == digest
            element.insert(at, signature)  # the outer signature covers the inner one
        return root

    return once


def whole_logins() -> list[Result]:
    """Through all services, as in `benchmarks.suite`: the run with the median processor time of three."""

    async def measured(target: suite.Target) -> list[Result]:
        await suite.bring_on_board(target)
        people = suite.People([], [])
        async with suite.client() as http:
            await suite.create(target, http, people, 300)
            await suite.login(target, http, people, 100, started_by_us=True)  # warm
            return [
                median_result([await suite.login(target, http, people, 600, started_by_us=ours) for _ in range(3)])
                for ours in (True, False)
            ]

    with suite.running() as target:
        return asyncio.run(measured(target))


def versions() -> dict[str, str]:
    found = {name: version(name) for name in ("pysaml2", "signxml", "lxml", "cryptography")}
    found["python3-saml"] = next(PACKAGES.glob("python3_saml-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    asked = subprocess.run(["xmlsec1", "--version"], capture_output=True, text=True, check=True)
    return {**found, "xmlsec1": asked.stdout.split()[1]}


def table(verified: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(verified.values())))
    lines = ["CPU ms of one verification".ljust(34) + "".join(name.rjust(18) for name in names)]
    for document, took in verified.items():
        cells = (f"{took[name]:.3f} ({took[name] / took['ours']:.1f}x)" for name in names)
        lines.append(document.ljust(34) + "".join(cell.rjust(18) for cell in cells))
    return "\n".join(lines)


def _write(documents: dict[str, Case], verified: dict[str, dict[str, float]], logins: list[Result]) -> None:
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()},
        "load_average_1_min": os.getloadavg()[0],
        "versions": versions(),
        "document_bytes": {name: len(given.document) for name, given in documents.items()},
        "verification_cpu_ms": {
            name: {peer: round(value, 4) for peer, value in took.items()} for name, took in verified.items()
        },
        "times_ours": {
            name: {peer: round(value / took["ours"], 2) for peer, value in took.items()}
            for name, took in verified.items()
        },
        "logins": [login.as_json() for login in logins],
    }
    (RESULTS / "peers.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
