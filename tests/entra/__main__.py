"""`python -m tests.entra --host 127.0.0.1 --port 8090 --state DIR [--demo]`: runs until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
import uuid
from pathlib import Path

import msgspec

from tests.entra.demo import demo_tenant
from tests.entra.server import EntraServer
from tests.entra.state import load
from tests.entra.tenant import Tenant


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.entra", description="Microsoft Entra ID, simulated.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--public-host", default="localhost", help="the name browsers use")
    parser.add_argument("--state", type=Path, help="directory that keeps the tenant; without it nothing is kept")
    parser.add_argument("--demo", action="store_true", help="begin with the demo companies when nothing is kept yet")
    options = parser.parse_args()
    try:
        tenant = load(options.state) if options.state else None
    except msgspec.DecodeError as error:
        print(f"The state in {options.state} cannot be read ({error}). Move it away and start again.", file=sys.stderr)
        return 1
    if tenant is None:
        tenant = demo_tenant() if options.demo else Tenant(str(uuid.uuid4()), "Tenant", "tenant.onmicrosoft.com")
    server = EntraServer(tenant, options.host, options.port, options.public_host, options.state)
    try:
        asyncio.run(_serve(server))
    except OSError as error:
        print(f"Cannot listen on {options.host}:{options.port}: {error.strerror or error}.", file=sys.stderr)
        return 1
    return 0


async def _serve(server: EntraServer) -> None:
    await server.start()
    print(f"Entra simulator on {server.url}/", flush=True)
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    await asked_to_stop.wait()
    await server.stop()


if __name__ == "__main__":
    sys.exit(main())
