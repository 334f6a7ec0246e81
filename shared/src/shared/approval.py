"""The words in which approval is explained: why somebody approves, how it stands with the direct approver, what is wrong.

Each word is stable and has one sentence in English and in Danish, for whoever reads it: Setup admin, support, the command.
"""

from enum import StrEnum


class Word(StrEnum):
    """A stable word with its sentence in both languages."""

    en: str
    da: str

    def __new__(cls, word: str, en: str, da: str) -> "Word":
        member = str.__new__(cls, word)
        member._value_ = word
        member.en = en
        member.da = da
        return member


class Reason(Word):
    """Why somebody approves for an employee."""

    entra_manager = "entra_manager", "Manager in Entra", "Leder i Entra"
    chosen_manager = (
        "chosen_manager",
        "Direct approver chosen by HR or import",
        "Direkte godkender valgt af HR eller ved import",
    )
    department_approver = "department_approver", "Approver of the department", "Godkender for afdelingen"
    self_approver = "self_approver", "Approves his own requests", "Godkender sine egne anmodninger"
    setup_admin_queue = (
        "setup_admin_queue",
        "Setup admin, because nobody else can approve",
        "Setup admin, fordi ingen anden kan godkende",
    )


class DirectStatus(Word):
    """How it stands with an employee's direct approver; S80's three causes are `missing`, `waiting` and `self_approver`."""

    in_force = "in_force", "The direct approver approves", "Den direkte godkender godkender"
    self_approver = (
        "self_approver",
        "He is Self approver: that overrides the manager",
        "Medarbejderen er Selfapprover: det tilsidesætter lederen",
    )
    self_approver_without_access = (
        "self_approver_without_access",
        "He is Self approver, but has no access himself",
        "Medarbejderen er Selfapprover, men har selv ingen adgang",
    )
    not_followed = (
        "not_followed",
        "Entra names a manager, but the company does not follow Entra's managers",
        "Entra angiver en leder, men virksomheden følger ikke Entras ledere",
    )
    missing = (
        "missing",
        "No manager is named: set the manager in Entra",
        "Der er ikke angivet en leder: angiv lederen i Entra",
    )
    waiting = (
        "waiting",
        "The manager is not provisioned yet: add him to the app in Entra",
        "Lederen er ikke provisioneret endnu: tilføj lederen til appen i Entra",
    )
    departed = (
        "departed",
        "The manager has departed: name another one",
        "Lederen er fratrådt: angiv en anden",
    )
    suspended = (
        "suspended",
        "The manager is suspended and cannot approve",
        "Lederen er deaktiveret og kan ikke godkende",
    )
    blocked = (
        "blocked",
        "The manager's access is blocked and he cannot approve",
        "Lederens adgang er spærret, så lederen kan ikke godkende",
    )
    himself = (
        "himself",
        "He is named as his own manager, which counts for Self approvers only",
        "Medarbejderen er angivet som sin egen leder, hvilket kun gælder for Selfapprovere",
    )


class ProblemKind(Word):
    """What is wrong with the approval of an employee; listed by Setup admin with everybody whom it affects."""

    nobody = "nobody", "Nobody can approve for him", "Ingen kan godkende for medarbejderen"
    setup_admins_only = (
        "setup_admins_only",
        "Nobody but the Setup admins can approve for him",
        "Kun Setup admin kan godkende for medarbejderen",
    )
    manager_missing = "manager_missing", DirectStatus.missing.en, DirectStatus.missing.da
    manager_waiting = "manager_waiting", DirectStatus.waiting.en, DirectStatus.waiting.da
    manager_departed = "manager_departed", DirectStatus.departed.en, DirectStatus.departed.da
    manager_suspended = "manager_suspended", DirectStatus.suspended.en, DirectStatus.suspended.da
    manager_blocked = "manager_blocked", DirectStatus.blocked.en, DirectStatus.blocked.da
    manager_himself = "manager_himself", DirectStatus.himself.en, DirectStatus.himself.da
    manager_cycle = (
        "manager_cycle",
        "The managers form a circle; they approve for each other all the same",
        "Lederne danner en ring; de godkender alligevel for hinanden",
    )
    self_approver_without_access = (
        "self_approver_without_access",
        DirectStatus.self_approver_without_access.en,
        DirectStatus.self_approver_without_access.da,
    )
    department_approver_suspended = (
        "department_approver_suspended",
        "An approver of the department is suspended and cannot approve",
        "En godkender for afdelingen er deaktiveret og kan ikke godkende",
    )
    department_approver_blocked = (
        "department_approver_blocked",
        "The access of an approver of the department is blocked and he cannot approve",
        "En godkender for afdelingen har fået adgangen spærret og kan ikke godkende",
    )
