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
        "Entra wants to take over the account of a Setup or payroll admin, or of one who has signed in; subject: the employee. "
        "Closed when one is confirmed (A24)",
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
    overlap = (
        "overlap",
        "Somebody is active in another company of the same Entra tenant too, as an employee of that one; subject: the employee "
        "here (A15). Looked for by `directory sweep`, and closed when it is over",
    )
