"""The demo tenant: one holding company, two companies with an app, a group and a certificate each.

What it shows on purpose: a chain of three managers, a person in both companies, a guest, a mail address that differs
from the user principal name, a blocked account. All object ids are derived from names, so that a demo begun afresh
meets the same people again; keys are new every time.
"""

import uuid
from typing import NamedTuple

from tests.entra.people import EnterpriseApp
from tests.entra.tenant import Clock, Tenant, utc_now

_NAMESPACE = uuid.UUID("7d0f0a52-5c43-4d0e-9a3e-2f6d0c7f5b11")

CONTOSO, FABRIKAM = "Contoso A/S", "Fabrikam ApS"


class _Row(NamedTuple):
    login: str
    given_name: str
    surname: str
    job_title: str
    department: str
    manager: str = ""
    mobile: str | None = None
    telephone: str | None = None
    country: str = "Denmark"


_CONTOSO = (
    _Row(
        "kirsten.holm",
        "Kirsten",
        "Holm",
        "Administrerende direktør",
        "Ledelse",
        "",
        "+45 20 11 22 01",
        "+45 70 20 30 01",
    ),
    _Row("soren.aagaard", "Søren", "Aagaard", "Udviklingschef", "Udvikling", "kirsten.holm", "+45 20 11 22 02"),
    _Row("mette.ostergaard", "Mette", "Østergaard", "Teamleder", "Udvikling", "soren.aagaard", "+45 20 11 22 03"),
    _Row("anders.baek", "Anders", "Bæk", "Systemudvikler", "Udvikling", "mette.ostergaard", "+45 20 11 22 04"),
    _Row("lina.nyqvist", "Lina", "Nyqvist", "Systemudvikler", "Udvikling", "mette.ostergaard", None, None, "Sweden"),
    _Row("jens.lauridsen", "Jens", "Lauridsen", "Tester", "Udvikling", "mette.ostergaard"),
    _Row("hanne.kjaer", "Hanne", "Kjær", "HR-chef", "HR", "kirsten.holm", "+45 20 11 22 07", "+45 70 20 30 07"),
    _Row("ida.molgaard", "Ida", "Mølgaard", "HR-konsulent", "HR", "hanne.kjaer"),
    _Row("peter.oconnor", "Peter", "O'Connor", "Salgschef", "Salg", "kirsten.holm", "+45 20 11 22 09"),
    _Row("camilla.friis", "Camilla", "Friis", "Account Manager", "Salg", "peter.oconnor"),
    _Row("morten.dahl", "Morten", "Dahl", "Lagermedarbejder", "Lager", "peter.oconnor"),
)
_FABRIKAM = (
    _Row("birgitte.ravn", "Birgitte", "Ravn", "Direktør", "Ledelse", "", "+45 30 44 55 01", "+45 33 12 00 01"),
    _Row("thomas.bruun", "Thomas", "Bruun", "Produktionschef", "Produktion", "birgitte.ravn", "+45 30 44 55 02"),
    _Row("asa.lindstrom", "Åsa", "Lindström", "Værkfører", "Produktion", "thomas.bruun", None, None, "Sweden"),
    _Row("rasmus.noergaard", "Rasmus", "Nørgaard", "Smed", "Produktion", "asa.lindstrom"),
    _Row("emil.toft", "Emil", "Toft", "Lærling", "Produktion", "asa.lindstrom"),
    _Row("line.vestergaard", "Line", "Vestergaard", "Økonomichef", "Økonomi", "birgitte.ravn", "+45 30 44 55 06"),
    _Row("karen.juhl", "Karen", "Juhl", "Bogholder", "Økonomi", "line.vestergaard"),
    _Row("niels.bach", "Niels", "Bach", "Indkøber", "Indkøb", "birgitte.ravn"),
    _Row("freja.lund", "Freja", "Lund", "Planlægger", "Produktion", "thomas.bruun"),
    _Row("oskar.winther", "Oskar", "Winther", "Chauffør", "Logistik", "niels.bach"),
    _Row("signe.hauge", "Signe", "Hauge", "Logistikkoordinator", "Logistik", "niels.bach", None, None, "Norway"),
)


def demo_id(name: str) -> str:
    """The object id that everything called `name` has in the demo."""
    return str(uuid.uuid5(_NAMESPACE, name))


def demo_tenant(clock: Clock = utc_now) -> Tenant:
    tenant = Tenant(demo_id("tenant"), "Nordlys Holding", "nordlys.onmicrosoft.com", clock)
    contoso = _company(tenant, "contoso", CONTOSO, "contoso.com", _CONTOSO)
    fabrikam = _company(tenant, "fabrikam", FABRIKAM, "fabrikam.com", _FABRIKAM)
    guest = tenant.add_person(
        "vera_konsulent.dk#EXT#@nordlys.onmicrosoft.com",
        "Vera Lykke (konsulent)",
        object_id=demo_id("vera"),
        given_name="Vera",
        surname="Lykke",
        mail="vera@konsulent.dk",
        job_title="Konsulent",
        department="Udvikling",
        manager=demo_id("soren.aagaard"),
        country="Denmark",
        user_type="guest",
        identity_provider=f"https://sts.windows.net/{demo_id('konsulent tenant')}/",
    )
    tenant.assign(contoso, guest.object_id)
    tenant.assign(fabrikam, demo_id("hanne.kjaer"))  # HR of both companies: one person, two employees
    tenant.edit_person(demo_id("camilla.friis"), mail="camilla.friis@contoso.dk")
    tenant.block(demo_id("emil.toft"))
    return tenant


def _company(tenant: Tenant, key: str, company: str, domain: str, rows: tuple[_Row, ...]) -> EnterpriseApp:
    group = tenant.add_group(f"BitaBIZ {company.split()[0]}", demo_id(f"group {key}"))
    app = tenant.add_app(
        f"BitaBIZ ({company.split()[0]})",
        company,
        app_id=demo_id(f"app {key}"),
        service_principal_id=demo_id(f"principal {key}"),
        group_id=group.object_id,
        email_domains=(domain,),
    )
    for row in rows:
        person = tenant.add_person(
            f"{row.login}@{domain}",
            f"{row.given_name} {row.surname}",
            object_id=demo_id(row.login),
            given_name=row.given_name,
            surname=row.surname,
            mail=f"{row.login}@{domain}",
            job_title=row.job_title,
            department=row.department,
            manager=demo_id(row.manager) if row.manager else None,
            mobile=row.mobile,
            telephone_number=row.telephone,
            country=row.country,
        )
        tenant.assign(app, person.object_id)
    return app
