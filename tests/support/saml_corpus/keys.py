"""Makes the keys of tests/data/saml/keys that are not there: self-signed like Entra's, and good for this corpus alone.

They are in the repository so that anybody can make the corpus again to the byte. Nothing but tests trusts them.
"""

from tests.entra.certificates import new_certificate
from tests.support.saml_corpus.case import FOLDER
from tests.support.saml_responses import NOW

NAMES = ("contoso", "next", "fabrikam", "stranger", "foreign")
"""Contoso's, its next one, the one of another company's app in the same tenant, an attacker's, and
the one of foreign identity providers."""


def main() -> None:
    for name in NAMES:
        file = FOLDER / "keys" / f"{name}.pem"
        if not file.exists():
            certificate = new_certificate(NOW)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(certificate.key_pem + certificate.pem)
            print(file)


if __name__ == "__main__":
    main()
