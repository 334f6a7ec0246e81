"""`python -m sso_gateway`: serve until told to stop; `oidc-keys`: make or rotate the provider's signing keys."""

import sys

from shared.http.service import run
from shared.settings import SettingsError, read_settings
from sso_gateway.app import create_service
from sso_gateway.oidc.rotation import main as oidc_keys
from sso_gateway.settings import Settings


def main() -> int:
    if sys.argv[1:2] == ["oidc-keys"]:
        return oidc_keys(sys.argv[2:])
    try:
        service = create_service(read_settings(Settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    return run(service)


if __name__ == "__main__":
    sys.exit(main())
