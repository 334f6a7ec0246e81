"""Every kind of finding, once: what somebody in the company ought to look at."""

from enum import StrEnum


class FindingKind(StrEnum):
    """Kinds of findings; the value stands in the database. `subject` says what a finding is about: see each meaning."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> "FindingKind":
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    mapping_broken = (
        "mapping_broken",
        "Entra sends a mandatory attribute no more; subject: the attribute (S24). Closed when it comes again",
    )
    active_not_mapped = (
        "active_not_mapped",
        "A create came without `active`, which counts as true; subject: active (A28)",
    )
    unknown_country = (
        "unknown_country",
        "A country whose spelling is not known, so that nobody has its calendar group; subject: as it was sent (S21)",
    )
    unknown_leave_date = (
        "unknown_leave_date",
        "A leave date that cannot be read, so that it sets nobody's termination date; subject: as it was sent (A4)",
    )
    adoption_waits = (
        "adoption_waits",
        "Entra wants to take over the account of a Setup or payroll admin, or of one who has signed in; or a first login wants "
        "that of an administrator by an e-mail address alone: details say which object. Subject: the employee. Closed when one "
        "is confirmed (A24)",
    )
    rehire = "rehire", "Somebody returned after a long time, and HR must choose how; subject: the employee (A11)"
    mass_deactivation_held = (
        "mass_deactivation_held",
        "Entra asks to deactivate more people within an hour than the company allows; those beyond are held; subject: company. "
        "Closed when somebody releases or refuses them, or Entra wants none of them any more",
    )
    manager_possibly_cleared = (
        "manager_possibly_cleared",
        "In a full cycle Entra looked at somebody and did not ask about his manager, whom it may have cleared without a word; "
        "subject: the employee (A18). Closed when Entra asks about the manager or writes him, when he departs, or by HR",
    )
    credential_expires = (
        "credential_expires",
        "A SCIM token or a secret of the OAuth client ends within 90 days, or has ended within the last 30: where Entra uses it, "
        "provisioning stops with it, offboarding too; subject: the token or secret. Issue another one, paste it into Entra, then "
        "revoke this one",
    )
    certificate_expires = (
        "certificate_expires",
        "The certificate that sign-on uses ends within 60 days, or has ended: make a new one in Entra, and paste it here before "
        "it is made active there, or right after; subject: its SHA-256. Details: how many days, whether a newer one is trusted",
    )
    certificate_offered = (
        "certificate_offered",
        "Entra publishes a signing certificate for the app that is not trusted here: trust it before it is made active there; "
        "subject: its SHA-256. Closed when it is trusted",
    )
    metadata_not_read = (
        "metadata_not_read",
        "The federation metadata of the company's app could not be read for a day, or is not its own: a certificate that Entra "
        "makes active is not known before it signs, and refused. Compare tenant, app and login URL here with Entra; subject: "
        "company. Details: since when, and why. Closed by the next look that reads it; there is one every hour",
    )
    overlap = (
        "overlap",
        "Somebody is active in another company of the same Entra tenant too, as an employee of that one; subject: the employee "
        "here (A15). Looked for by `directory sweep`, and closed when it is over",
    )
    name_id_not_email = (
        "name_id_not_email",
        "Entra signs people in by another name than the e-mail that BitaBIZ has: whoever is linked signs in all the same, the "
        "first login of others may fail (S89). Change in Entra: Enterprise applications, BitaBIZ, Single sign-on, Attributes & "
        "Claims, Unique User Identifier (Name ID), Source attribute user.mail; subject: company. Employee: by whose login it was "
        "seen; counted once an hour at most. Closed by his next login that agrees, or 30 days after it was last seen",
    )
    email_not_mail = (
        "email_not_mail",
        "The e-mail in BitaBIZ is not the mail address in Entra: it is provisioned from userPrincipalName, and the two differ "
        "(A8). Change in Entra: Enterprise applications, BitaBIZ, Provisioning, Attribute mapping, source attribute mail for "
        'emails[type eq "work"].value, together with user.mail as Name ID; subject: company. Counted and closed like '
        "name_id_not_email",
    )
    name_id_pairwise = (
        "name_id_pairwise",
        "Entra sends an identifier that it made up in place of a name, because the source attribute of Name ID is empty for the "
        "person or its transformation fails. Change in Entra: Enterprise applications, BitaBIZ, Single sign-on, Attributes & "
        "Claims, Unique User Identifier (Name ID), Source attribute user.mail, and fill it; subject: company. Counted and closed "
        "like name_id_not_email",
    )
    names_of_two_people = (
        "names_of_two_people",
        "A first login was refused because its names are two employees': the login name of one and the e-mail of another (S89). "
        "Change in Entra: Enterprise applications, BitaBIZ, Single sign-on, Attributes & Claims, Unique User Identifier (Name "
        "ID), Source attribute user.mail, or correct the address of the one it is not; subject: company. Counted once an hour at "
        "most. Closed by the next first login that succeeds, or 30 days after it was last seen",
    )


CLAIMS = frozenset(
    {
        FindingKind.name_id_not_email,
        FindingKind.email_not_mail,
        FindingKind.name_id_pairwise,
        FindingKind.names_of_two_people,
    }
)
"""What logins say of the company's claims."""
