"""python3-saml for `benchmarks.peers`, in a process of its own with its own lxml and xmlsec.

Reads the case as one line of JSON, then numbers: verifies so many times, and answers with the processor milliseconds of one.
"""

import json
import sys
import time
from urllib.parse import urlsplit

from onelogin.saml2.response import OneLogin_Saml2_Response

from benchmarks.peer_app import Told
from benchmarks.peer_python3_saml_app import settings_of


def main() -> None:
    case = json.loads(sys.stdin.readline())
    told = Told(**case["told"])
    settings = settings_of(told, want_messages_signed=case["signed"] == "both")
    parts = urlsplit(told.acs)
    request = {"https": "on", "http_host": parts.netloc, "script_name": parts.path, "get_data": {}, "post_data": {}}
    for line in sys.stdin:
        times = int(line)
        began = time.process_time()
        for _ in range(times):
            response = OneLogin_Saml2_Response(settings, case["document"])
            response.is_valid(request, case["request_id"], raise_exceptions=True)
            assert response.get_nameid() == "anna@contoso.com"
        print((time.process_time() - began) * 1000 / times, flush=True)


if __name__ == "__main__":
    main()
