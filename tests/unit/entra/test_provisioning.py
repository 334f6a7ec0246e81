"""The provisioning engine against a naive SCIM endpoint: what each event in Entra sends."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.entra.people import ENTERPRISE
from tests.unit.entra.conftest import World

MANAGER = f"{ENTERPRISE}:manager"


async def test_the_initial_cycle_creates_everybody_and_then_links_managers(world: World) -> None:
    result = await world.engine.cycle(world.app)

    assert (result.initial, result.created, result.failed) == (True, 2, 0)
    assert world.requests(0) == [
        ("GET", "connection check"),
        ("GET", "match"),
        ("POST", "create"),
        ("GET", "match"),
        ("POST", "create"),
        ("GET", "reference check"),
        ("PATCH", "manager"),
    ]
    boss_id = world.scim.user("bodil@firma.dk")["id"]
    assert world.scim.user("anna@firma.dk")[ENTERPRISE] == {"department": "Værksted", "manager": boss_id}


async def test_a_created_person_has_the_documented_shape(world: World) -> None:
    await world.engine.cycle(world.app)

    (post,) = [e for e in world.writes(0) if e.method == "POST" and e.object_id == world.anna.object_id]

    assert post.request_json == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "anna@firma.dk",
        "active": True,
        "displayName": "Anna Holm",
        "title": "Smed",
        "emails": [{"type": "work", "value": "anna@firma.dk", "primary": True}],
        "name": {"formatted": "Anna Holm", "givenName": "Anna", "familyName": "Holm"},
        "addresses": [{"type": "work", "country": "Denmark"}],
        "phoneNumbers": [{"type": "mobile", "value": "+45 20 00 00 01"}],
        ENTERPRISE: {"department": "Værksted"},
        "meta": {"resourceType": "User"},
        "roles": [],
    }


async def test_the_cycle_after_changes_nothing(world: World) -> None:
    await world.engine.cycle(world.app)
    await world.engine.restart(world.app)
    began = world.engine.log.last_number

    incremental = await world.engine.cycle(world.app)
    restarted = await world.engine.restart(world.app)

    assert world.writes(began) == []
    assert (incremental.initial, incremental.changes) == (False, 0)
    assert (restarted.initial, restarted.unchanged) == (True, 2)


async def test_an_incremental_cycle_sends_only_the_difference(legacy: World, compliant: World) -> None:
    for world in (legacy, compliant):
        await world.engine.cycle(world.app)
        began = world.engine.log.last_number
        world.tenant.edit_person(
            world.anna.object_id, job_title="Værkfører", telephone_number="+45 33 00", user_principal_name="ah@firma.dk"
        )
        result = await world.engine.cycle(world.app)
        assert result.updated == 1
        assert world.requests(began) == [
            ("GET", "connection check"),
            ("GET", "read"),
            ("PATCH", "update"),
            ("GET", "reference check"),
        ]

    assert legacy.patches(1)[-1] == [
        {"op": "Replace", "path": "userName", "value": "ah@firma.dk"},
        {"op": "Replace", "path": "title", "value": "Værkfører"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "ah@firma.dk"},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "+45 33 00"},
    ]
    assert compliant.patches(1)[-1] == [
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "ah@firma.dk"},
        {"op": "add", "path": 'phoneNumbers[type eq "work"].value', "value": "+45 33 00"},
        {"op": "replace", "value": {"userName": "ah@firma.dk", "title": "Værkfører"}},
    ]


async def test_the_manager_travels_as_a_bare_string(legacy: World, compliant: World) -> None:
    for world in (legacy, compliant):
        await world.engine.cycle(world.app)
    legacy_id, compliant_id = (w.scim.user("bodil@firma.dk")["id"] for w in (legacy, compliant))

    assert legacy.patches(0) == [[{"op": "Add", "path": MANAGER, "value": legacy_id}]]
    assert compliant.patches(0) == [[{"op": "add", "value": {MANAGER: compliant_id}}]]


async def test_a_manager_out_of_scope_is_linked_only_after_a_restart(world: World) -> None:
    world.tenant.unassign(world.app, world.boss.object_id)
    await world.engine.cycle(world.app)
    world.tenant.assign(world.app, world.boss.object_id)
    await world.engine.cycle(world.app)
    assert "manager" not in world.scim.user("anna@firma.dk")[ENTERPRISE]

    await world.engine.restart(world.app)

    assert world.scim.user("anna@firma.dk")[ENTERPRISE]["manager"] == world.scim.user("bodil@firma.dk")["id"]


async def test_a_cleared_attribute_and_a_cleared_manager_send_nothing(world: World) -> None:
    await world.engine.cycle(world.app)
    began = world.engine.log.last_number
    world.tenant.edit_person(world.anna.object_id, job_title=None, manager=None)

    await world.engine.cycle(world.app)

    assert world.writes(began) == []
    assert world.scim.user("anna@firma.dk")["title"] == "Smed"


async def test_each_reference_is_checked_in_the_second_pass_and_none_of_whoever_has_no_manager(world: World) -> None:
    await world.engine.cycle(world.app)
    anna, boss = (world.scim.user(name)["id"] for name in ("anna@firma.dk", "bodil@firma.dk"))
    began = world.engine.log.last_number
    await world.engine.restart(world.app)
    assert world.requests(began) == [
        ("GET", "connection check"),
        ("GET", "read"),
        ("GET", "read"),
        ("GET", "reference check"),
    ]
    asked = parse_qs(urlsplit(world.engine.log.since(began)[-1].url).query)
    assert asked == {"filter": [f'id eq "{anna}" and manager eq "{boss}"'], "attributes": ["id"]}
    world.tenant.edit_person(world.anna.object_id, manager=None)
    began = world.engine.log.last_number
    await world.engine.restart(world.app)
    assert ("GET", "reference check") not in world.requests(began)


async def test_a_removed_manager_can_be_sent_in_each_documented_form(legacy: World) -> None:
    await legacy.engine.cycle(legacy.app)
    legacy.tenant.configure_provisioning(legacy.app, manager_removal="remove")
    legacy.tenant.edit_person(legacy.anna.object_id, manager=None)
    await legacy.engine.cycle(legacy.app)

    assert legacy.patches(0)[-1] == [{"op": "Remove", "path": MANAGER}]


async def test_an_unassigned_person_is_disabled_and_forgotten(legacy: World, compliant: World) -> None:
    for world, operation in (
        (legacy, {"op": "Replace", "path": "active", "value": "False"}),
        (compliant, {"op": "replace", "path": "active", "value": False}),
    ):
        await world.engine.cycle(world.app)
        world.tenant.unassign(world.app, world.anna.object_id)
        result = await world.engine.cycle(world.app)
        assert (result.disabled, world.patches(0)[-1]) == (1, [operation])
        world.tenant.delete(world.anna.object_id)
        world.tenant.purge(world.anna.object_id)
        assert (await world.engine.cycle(world.app)).changes == 0
        assert world.scim.user("anna@firma.dk")["active"] is False


async def test_a_reassigned_person_is_matched_again_and_enabled(world: World) -> None:
    await world.engine.cycle(world.app)
    before = world.scim.user("anna@firma.dk")["id"]
    world.tenant.unassign(world.app, world.anna.object_id)
    await world.engine.cycle(world.app)
    began = world.engine.log.last_number

    world.tenant.assign(world.app, world.anna.object_id)
    result = await world.engine.cycle(world.app)

    assert result.updated == 1
    assert world.requests(began)[1:] == [("GET", "match"), ("PATCH", "update"), ("GET", "reference check")]
    assert (world.scim.user("anna@firma.dk")["id"], world.scim.user("anna@firma.dk")["active"]) == (before, True)


async def test_a_blocked_person_is_disabled_and_an_unblocked_one_enabled(world: World) -> None:
    await world.engine.cycle(world.app)
    world.tenant.block(world.anna.object_id)
    blocked = await world.engine.cycle(world.app)
    assert (blocked.disabled, world.scim.user("anna@firma.dk")["active"]) == (1, False)

    world.tenant.unblock(world.anna.object_id)
    unblocked = await world.engine.cycle(world.app)

    assert (unblocked.updated, world.scim.user("anna@firma.dk")["active"]) == (1, True)


async def test_a_blocked_person_is_never_created(world: World) -> None:
    world.tenant.block(world.anna.object_id)

    result = await world.engine.cycle(world.app)

    assert (result.created, result.skipped, len(world.scim.users)) == (1, 1, 1)


async def test_a_deleted_person_is_disabled_restored_and_deleted_for_good(world: World) -> None:
    await world.engine.cycle(world.app)
    world.tenant.delete(world.anna.object_id)
    assert (await world.engine.cycle(world.app)).disabled == 1
    world.tenant.restore(world.anna.object_id)
    assert (await world.engine.cycle(world.app)).updated == 1
    assert world.scim.user("anna@firma.dk")["active"] is True
    world.tenant.delete(world.anna.object_id)
    await world.engine.cycle(world.app)

    world.tenant.purge(world.anna.object_id)
    purged = await world.engine.cycle(world.app)

    assert (purged.deleted, len(world.scim.users)) == (1, 1)
    assert world.writes(0)[-1].method == "DELETE"


async def test_a_failure_is_escrowed_and_tried_again(world: World) -> None:
    def refuse_anna(method: str, path: str, body: Any) -> int | None:
        return 400 if method == "POST" and body["userName"] == "anna@firma.dk" else None

    world.scim.refuse = refuse_anna
    first = await world.engine.cycle(world.app)
    world.scim.refuse = lambda method, path, body: None
    again = await world.engine.cycle(world.app)

    assert (first.created, first.failed, first.failures[0].name) == (1, 1, "Anna Holm")
    assert (again.initial, again.created, again.failed) == (False, 1, 0)


async def test_a_refused_token_quarantines_the_job_and_the_first_success_ends_it(world: World) -> None:
    world.scim.refuse = lambda method, path, body: 401
    refused = await world.engine.cycle(world.app)
    assert refused.quarantine
    assert "InvalidCredentials" in refused.quarantine
    assert world.requests(0) == [("GET", "connection check")]

    world.scim.refuse = lambda method, path, body: None

    assert (await world.engine.cycle(world.app)).quarantine is None


async def test_an_empty_filter_answered_with_404_quarantines_the_job(world: World) -> None:
    world.scim.refuse = lambda method, path, body: 404 if path.endswith("/Users") else None

    assert (await world.engine.cycle(world.app)).quarantine


async def test_a_manager_returned_as_text_blocks_every_update_of_that_person(world: World) -> None:
    await world.engine.cycle(world.app)
    world.scim.manager_as_text = True
    world.tenant.edit_person(world.anna.object_id, job_title="Chef")

    result = await world.engine.cycle(world.app)

    assert result.failed == 1
    assert "not able to deserialize" in result.failures[0].detail
    assert world.scim.user("anna@firma.dk")["title"] == "Smed"


async def test_an_id_the_target_forgot_is_an_invalid_anchor_until_a_restart(world: World) -> None:
    await world.engine.cycle(world.app)
    del world.scim.users[world.scim.user("anna@firma.dk")["id"]]
    world.tenant.edit_person(world.anna.object_id, job_title="Chef")

    failed = await world.engine.cycle(world.app)
    restarted = await world.engine.restart(world.app)

    assert failed.failures[0].code == "InvalidAnchor"
    assert restarted.created == 1


async def test_two_hits_are_duplicate_target_entries(world: World) -> None:
    for number in ("1", "2"):
        world.scim.users[number] = {"id": number, "userName": "anna@firma.dk"}

    result = await world.engine.cycle(world.app)

    assert result.failures[0].code == "DuplicateTargetEntries"


async def test_on_demand_speaks_the_legacy_dialect_and_cannot_disable(compliant: World) -> None:
    await compliant.engine.cycle(compliant.app)
    compliant.tenant.edit_person(compliant.anna.object_id, job_title="Chef")

    done = await compliant.engine.provision_on_demand(compliant.app, compliant.anna)
    compliant.tenant.block(compliant.anna.object_id)
    skipped = await compliant.engine.provision_on_demand(compliant.app, compliant.anna)

    assert (done.outcome, skipped.outcome) == ("updated", "skipped")
    assert compliant.patches(0)[-1] == [{"op": "Replace", "path": "title", "value": "Chef"}]
    assert compliant.scim.user("anna@firma.dk")["active"] is True


async def test_the_flag_is_on_every_request_of_the_compliant_dialect(compliant: World) -> None:
    await compliant.engine.cycle(compliant.app)

    assert all(urlsplit(e.url).query.endswith("aadOptscim062020") for e in compliant.engine.log)


async def test_requests_look_like_the_service(legacy: World) -> None:
    await legacy.engine.cycle(legacy.app)
    check, match, post = legacy.scim.headers[:3]

    assert check["authorization"] == "Bearer secret"
    assert "content-type" not in match
    assert "accept" not in match
    assert "user-agent" not in match
    assert post["content-type"] == "application/scim+json; charset=utf-8"
    assert "ActivityId:" in post["adscimversion"]
    first, second = (e.url for e in list(legacy.engine.log)[:2])
    assert "?filter=userName+eq+%22" in first
    assert second.endswith("?filter=userName+eq+%22bodil%40firma.dk%22")


async def test_the_group_is_created_empty_and_its_members_follow(world: World) -> None:
    world.tenant.configure_provisioning(world.app, provision_groups=True)
    await world.engine.cycle(world.app)
    (group,) = world.scim.groups.values()
    assert len(group["members"]) == 2

    world.tenant.unassign(world.app, world.anna.object_id)
    await world.engine.cycle(world.app)
    began = world.engine.log.last_number
    await world.engine.cycle(world.app)

    assert [m["value"] for m in group["members"]] == [world.scim.user("bodil@firma.dk")["id"]]
    assert world.writes(began) == []
