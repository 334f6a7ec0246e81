"""What the three services share: identifiers, schemas, the client of directory, HTTP service and telemetry."""

VERSION = "0.1.0"
