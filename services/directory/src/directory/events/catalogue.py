"""Every kind of event in the history, once: name and meaning. `docs/events.md` is generated from it.

What each kind may tell stands in `fields.py`.

Names are past tense and never change their meaning, for history outlives every version of the code.
"""

from enum import StrEnum


class EventKind(StrEnum):
    """Kinds of history events; the value stands in the database."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> "EventKind":
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    company_created = "company.created", "An operator set the company up"
    company_updated = "company.updated", "Settings of the company or its connection changed"
    company_closed = (
        "company.closed",
        "The company ends: sign-on and provisioning are refused, sessions ended, deletion at `ends_at`",
    )
    company_restored = "company.restored", "Closed no more; what was switched on is on again"
    company_exported = "company.exported", "Everything the company has was written to a file, by whom and how much"
    certificate_added = "certificate.added", "One more signing certificate is trusted"
    certificate_first_used = (
        "certificate.first_used",
        "A trusted signing certificate has signed for the first time, in a sign-in that was accepted: told once",
    )
    certificate_removed = "certificate.removed", "A signing certificate is no longer trusted"
    certificate_expires = (
        "certificate.expires",
        "The certificate that sign-on uses ends within so many days: told at 60, 30, 14, 7 and 1, and when it has ended",
    )
    scim_token_issued = "scim_token.issued", "A SCIM token was issued"
    scim_token_revoked = "scim_token.revoked", "A SCIM token was revoked; it is refused from this moment"
    oauth_secret_issued = "oauth_secret.issued", "One more secret of the company's OAuth client was issued"
    oauth_secret_revoked = (
        "oauth_secret.revoked",
        "A secret of the OAuth client was revoked; it is refused from this moment, and so are the access tokens issued for it",
    )
    federation_trusted = (
        "federation.trusted",
        "Assertions of this issuer, audience and subject are accepted in place of a secret",
    )
    federation_revoked = (
        "federation.revoked",
        "They are accepted no more, and the access tokens issued for them are refused from this moment",
    )
    app_credential_issued = "app_credential.issued", "The BitaBIZ application was given a credential"
    app_credential_revoked = (
        "app_credential.revoked",
        "A credential of the BitaBIZ application was revoked; it is refused from this moment",
    )
    employee_created = "employee.created", "A person unknown so far came into being"
    employee_adopted = "employee.adopted", "A person imported from CSV is now governed by Entra"
    employee_reactivated = (
        "employee.reactivated",
        "A create request met a suspended employee and brought him back, with history",
    )
    employee_changed = "employee.changed", "Master data changed"
    employee_suspended = (
        "employee.suspended",
        "Soft delete: no access, login name and e-mail stay taken; sessions ended",
    )
    employee_resumed = "employee.resumed", "Active again after a suspension; the termination date is cleared"
    employee_rehire_asked = (
        "employee.rehire_asked",
        "Entra says active again, after so long that HR must choose: continue, or a new employment; no access until then",
    )
    employee_rehire_withdrawn = "employee.rehire_withdrawn", "Suspended again before HR had chosen"
    employee_blocked = "employee.blocked", "HR took the access away, whatever Entra says; sessions ended"
    employee_unblocked = "employee.unblocked", "HR gave the access back"
    employee_adoption_confirmed = "employee.adoption_confirmed", "A Setup admin lets Entra take this account over"
    employee_work_done = "employee.work_done", "HR has dealt with what a leaver left behind"
    employee_deactivation_held = (
        "employee.deactivation_held",
        "Entra asked to deactivate him, as one of too many within an hour; he keeps his access until somebody decides",
    )
    employee_deactivation_withdrawn = (
        "employee.deactivation_withdrawn",
        "Entra wants the held deactivation no more: it said active, or has not asked for two days",
    )
    employee_deactivation_released = "employee.deactivation_released", "The held deactivation is to be done; it follows"
    employee_deactivation_refused = "employee.deactivation_refused", "The held deactivation is not to be done"
    employee_departed = "employee.departed", "Hard delete: login name and e-mail released; sessions ended"
    employee_erased = (
        "employee.erased",
        "The company's time is over: he is gone from rows and history, whose content about him is empty; the chain stays",
    )
    employee_replayed = (
        "employee.replayed",
        "Somebody had an exchange of the journal done again; what that changed is told beside it",
    )
    employee_manager_linked = "employee.manager_linked", "A manager who was waited for appeared and is linked now"
    employee_manager_lost = "employee.manager_lost", "The manager departed; the employee waits for another one"
    employee_manager_kept = (
        "employee.manager_kept",
        "HR has looked: the manager stays, although Entra asked about everybody's manager but his",
    )
    employee_role_granted = (
        "employee.role_granted",
        "HR granted a role, or departments to approve for",
    )
    employee_role_revoked = (
        "employee.role_revoked",
        "HR took a role away, or departments to approve for",
    )
    employee_approval_changed = (
        "employee.approval_changed",
        "HR chose whether the direct approver alone approves for the employee",
    )
    employee_linked = "employee.linked", "The first login tied the Entra object id to the employee"
    setup_refused = (
        "setup.refused",
        "Somebody who is no Setup admin asked for what only one may see or do; told once an hour",
    )
    session_opened = "session.opened", "Somebody signed in"
    session_ended = "session.ended", "Sessions were ended by their owner: which, and why (a receipt)"
    session_signed_out = (
        "session.signed_out",
        "Sessions ended because their owner signed out at Microsoft; the certificate that proved it is the actor (a receipt)",
    )
    session_revoked = (
        "session.revoked",
        "Sessions, and tickets on their way, ended by what happened to their owner or the company: which, and why (a receipt)",
    )
    app_granted = "app.granted", "An app was let in on somebody's behalf: `client_id`"
    app_grant_ended = "app.grant_ended", "An app gave back what it held on somebody's behalf"
    app_grant_misused = (
        "app.grant_misused",
        "A code or refresh token of an app came a second time, or a code with a wrong proof: all that came of it has ended",
    )
    group_created = "group.created", "Entra provisioned a group"
    group_changed = "group.changed", "A group got another name or another id in Entra"
    group_members_changed = (
        "group.members_changed",
        "Employees were added to a group or taken out of it; a large change is told by several of these in a row",
    )
    group_removed = "group.removed", "A group was deleted; its members stay who they are"
    group_replayed = (
        "group.replayed",
        "Somebody had an exchange of the journal about a group done again; what that changed is told beside it",
    )
    move_prepared = (
        "move.prepared",
        "A connection with another Entra tenant is prepared, or was changed before it is live",
    )
    move_cancelled = "move.cancelled", "The prepared connection was given up; its tokens were revoked"
    company_moved = (
        "company.moved",
        "The prepared connection is the live one: the former tenant's sign-on and tokens are refused, all sessions have ended",
    )
    employee_unlinked = (
        "employee.unlinked",
        "A move released what tied the employee to the former tenant's object; the new tenant links him by login name or e-mail",
    )
    employee_relinked = (
        "employee.relinked",
        "After a move a create request of the new tenant named him: the same employee",
    )
