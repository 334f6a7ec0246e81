"""What an assertion calls somebody beside what the directory calls him, and what to change in Entra where the two differ. Pure.

Entra knows three names of a person: the user principal name (claim `name`, and NameID by default), the mail address (claim
`emailaddress`) and NameID, which an administrator may take from either. BitaBIZ knows two: login name and e-mail. Once the object
id is linked none of them decides who somebody is (D10), so a difference shuts nobody out; but it makes first logins fail, and
whoever is to mend it must know the very setting (S89, A8).

    NameID       claim mail    claim name     told
    e-mail       e-mail        –              nothing
    another      e-mail        –              name_id_not_email     NameID is taken from something else than user.mail
    –            another       login name     email_not_mail        the e-mail is provisioned from something else than mail
    –            another       another        not_yet_provisioned   renamed in Entra, and provisioning has not said so yet
    43 letters   –             –              name_id_pairwise      NameID's source is empty: Entra makes something up

A guest's mangled principal name (`anna_gmail.com#EXT#@…`) is compared with nothing.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from directory.employees.keys import search_key
from shared.schemas.login import LoginAttempt

MAX_NAMES = 3
"""By which an assertion may name somebody: NameID, the name claim, the e-mail claim."""
_PAIRWISE = re.compile(r"[A-Za-z0-9+/_-]{43}=?")
_GUEST = "#ext#"


class Difference(StrEnum):
    """The values are stable codes; those that name a setting are kinds of findings too."""

    name_id_not_email = "name_id_not_email"
    email_not_mail = "email_not_mail"
    name_id_pairwise = "name_id_pairwise"
    not_yet_provisioned = "not_yet_provisioned"


@dataclass(frozen=True, slots=True)
class Names:
    """As the assertion has them, in the form in which names are compared; None where it was not sent."""

    name_id: str
    name_claim: str | None
    email_claim: str | None

    @property
    def keys(self) -> list[str]:
        return sorted({key for key in (self.name_id, self.name_claim, self.email_claim) if key is not None})

    @property
    def principal(self) -> str:
        """What only an administrator of the tenant can give, and to one person at a time: the user principal name. NameID, which
        is that by default, where the claim is not sent."""
        return self.name_claim or self.name_id

    @property
    def is_pairwise(self) -> bool:
        """Where the source of NameID is empty for a person, Entra sends a persistent identifier of 43 letters and digits."""
        return _PAIRWISE.fullmatch(self.name_id) is not None


def names_of(attempt: LoginAttempt) -> Names:
    return Names(search_key(attempt.name_id), _key(attempt.name_claim), _key(attempt.email_claim))


def _key(text: str | None) -> str | None:
    return search_key(text) if text else None


def differences(names: Names, login_key: str | None, email_key: str | None) -> tuple[Difference, ...]:
    """Between the assertion and the employee whom it means."""
    found = []
    mail_differs = names.email_claim is not None and names.email_claim != email_key
    renamed = names.name_claim is not None and _GUEST not in names.name_claim and names.name_claim != login_key
    if mail_differs:
        found.append(Difference.not_yet_provisioned if renamed else Difference.email_not_mail)
    if names.is_pairwise:
        found.append(Difference.name_id_pairwise)
    elif not mail_differs and names.name_id != email_key and _GUEST not in names.name_id:
        unknown = names.email_claim is None and renamed
        found.append(Difference.not_yet_provisioned if unknown else Difference.name_id_not_email)
    return tuple(found)
