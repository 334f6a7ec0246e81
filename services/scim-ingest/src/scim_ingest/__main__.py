"""`python -m scim_ingest`: serve until told to stop."""

import sys

from scim_ingest.app import create_service
from scim_ingest.settings import Settings
from shared.http.service import run
from shared.settings import SettingsError, read_settings


def main() -> int:
    try:
        service = create_service(read_settings(Settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return run(service)


if __name__ == "__main__":
    sys.exit(main())
