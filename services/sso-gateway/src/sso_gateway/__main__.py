"""`python -m sso_gateway`: serve until told to stop."""

import sys

from shared.http.service import run
from shared.settings import SettingsError, read_settings
from sso_gateway.app import create_service
from sso_gateway.settings import Settings


def main() -> int:
    try:
        settings = read_settings(Settings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    return run(create_service(settings))


if __name__ == "__main__":
    sys.exit(main())
