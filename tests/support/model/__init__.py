"""The directory's rules once more, in memory and as plainly as they can be said.

What the product says (S31 to S59, S65 to S75, D1 to D12, A3 to A6, A11, A24) and what the pages say of employees, groups, the
brake, retention, the end of a company and a move, without any of directory's own rules: one person after another, no
transactions, no SQL, no locks. `tests/integration/test_model.py` drives this and the real one through the same sequences and
compares everything.

    people.py        a person: every column of `employees`; keys, and what the history tells of a change
    company.py       people together: names, managers, departments, findings, history
    provisioning.py  what Entra does
    brake.py         deactivations that are held, and what becomes of them
    hr.py            what HR does
    groups.py        what Entra does to groups, and the company's own one
    logins.py        who may sign in, tickets, sessions
    ending.py        a company is closed, opened again, gone
    moving.py        a move to another Entra tenant
    retention.py     who is erased, and from where
    sweeping.py      what `directory sweep` does to a company
    reading.py       what is derived: the work list, open findings, what Entra and HR are shown

Beside them stand the same commands to both (`commands`, `group_commands`, `company_commands`), what is drawn by chance (`chance`,
`acts`, `stories`), and the comparison (`world`).

Words: a `Turn` is one command at one moment by one actor; `Refused` is a refusal with its code.
"""
