"""Who can reach what: Services, Ingress, NetworkPolicies, ServiceMonitors and disruption budgets."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.routing import Route

from tests.charts.rendering import (
    CI_FILES,
    SERVING,
    Document,
    by_component,
    ci,
    of_kind,
    pod_templates,
    rendered,
)

every_example = pytest.mark.parametrize("values", CI_FILES, ids=lambda path: path.stem)


def selected(selector: Document, documents: list[Document]) -> set[str]:
    """Components of the pods that a label selector selects."""
    wanted = selector["matchLabels"].items()
    labels = [pod["metadata"]["labels"] for pod in pod_templates(documents)]
    return {have["app.kubernetes.io/component"] for have in labels if wanted <= have.items()}


@every_example
def test_every_selector_selects_its_own_component_and_no_other(values: Path) -> None:
    documents = rendered(values)
    for kind in ("Deployment", "PodDisruptionBudget"):
        for name, document in by_component(documents, kind).items():
            assert selected(document["spec"]["selector"], documents) == {name}
    for name, service in by_component(documents, "Service").items():
        assert selected({"matchLabels": service["spec"]["selector"]}, documents) == {name}
    for name, policy in by_component(documents, "NetworkPolicy").items():
        assert selected(policy["spec"]["podSelector"], documents) == {name}


@every_example
def test_every_service_port_names_a_port_of_its_pods(values: Path) -> None:
    documents = rendered(values)
    for name, service in by_component(documents, "Service").items():
        (server, *_) = by_component(documents, "Deployment")[name]["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in server["ports"]}
        assert ports == {"http": 8000, "ops": 9000}
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports
        assert service["spec"]["type"] == "ClusterIP"


@every_example
def test_names_are_short_enough_and_unique(values: Path) -> None:
    documents = rendered(values)
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]

    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)
    assert {document["metadata"]["namespace"] for document in documents} == {"identity"}


@every_example
def test_edges_find_directory_by_the_name_of_its_service(values: Path) -> None:
    documents = rendered(values)
    url = f"http://{by_component(documents, 'Service')['directory']['metadata']['name']}:8000"
    for edge in ("scim", "sso"):
        (server,) = by_component(documents, "Deployment")[edge]["spec"]["template"]["spec"]["containers"]
        assert {"name": "DIRECTORY_URL", "value": url} in server["env"]


def exposed(documents: list[Document]) -> set[tuple[str, str, str]]:
    """Component, path and kind of match of everything that an Ingress lets in."""
    services = {s["metadata"]["name"]: name for name, s in by_component(documents, "Service").items()}
    found = set()
    for ingress in of_kind(documents, "Ingress"):
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            assert path["backend"]["service"]["port"] == {"name": "http"}
            found.add((services[path["backend"]["service"]["name"]], path["path"], path["pathType"]))
    return found


@every_example
def test_only_the_public_paths_of_the_two_public_services_are_in_an_ingress(values: Path) -> None:
    sso = (
        "/login",
        "/saml",
        "/session",
        "/sessions",
        "/logout",
        "/auth",
        "/oauth2",
        "/.well-known",
        "/setup",
        "/static",
    )
    front = {("sso", "/", "Exact")} if values != ci("one-host") else set()  # there it is left to an application

    assert exposed(rendered(values)) == {
        ("scim", "/scim/v2", "Prefix"),
        *front,
        *(("sso", path, "Prefix") for path in sso),
    }


@pytest.mark.parametrize(("name", "package"), [("scim", "scim_ingest"), ("sso", "sso_gateway")])
def test_every_route_of_a_public_service_comes_through_its_ingress(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = importlib.import_module(f"{package}.app")
    settings = importlib.import_module(f"{package}.settings").Settings(
        directory_url="http://directory", directory_secret="sixteen-characters", public_url="https://x.example.com"
    )
    recorded: list[Route] = []

    def record(*_: object, routes: list[Route], **__: object) -> SimpleNamespace:
        recorded.extend(routes)
        return SimpleNamespace(app=None)

    monkeypatch.setattr(app, "Service", record)
    app.create_service(settings)
    paths = [(path, kind) for component, path, kind in exposed(rendered(ci("minimal"))) if component == name]

    def comes_through(route: str) -> bool:
        return any(route == path or (kind == "Prefix" and route.startswith(f"{path}/")) for path, kind in paths)

    assert recorded
    assert [route.path for route in recorded if not comes_through(route.path)] == []


def test_hosts_come_from_the_public_addresses() -> None:
    def hosts(name: str) -> dict[str, str]:
        ingresses = by_component(rendered(ci(name)), "Ingress")
        return {component: ingress["spec"]["rules"][0]["host"] for component, ingress in ingresses.items()}

    assert hosts("minimal") == {"scim": "scim.example.com", "sso": "login.example.com"}
    assert hosts("one-host") == {"scim": "id.example.com", "sso": "id.example.com"}
    assert of_kind(rendered(ci("minimal"), "--set", "ingress.enabled=false"), "Ingress") == []


def callers(policy: Document, port: str, documents: list[Document]) -> list[set[str] | Document]:
    """Who may come in on a port: our components, or the peer as it stands."""
    found: list[set[str] | Document] = []
    for rule in policy["spec"]["ingress"]:
        if port in [allowed["port"] for allowed in rule["ports"]]:
            for peer in rule.get("from", [{"anyone": True}]):
                found.append(selected(peer["podSelector"], documents) if peer.keys() == {"podSelector"} else peer)
    return found


def test_directorys_main_port_takes_the_two_edges_and_the_application_where_it_is_named() -> None:
    application = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bitabiz"}},
        "podSelector": {"matchLabels": {"app": "back-end"}},
    }
    named: list[set[str] | Document] = [application]
    for values, others in ((ci("minimal"), []), (ci("production"), named)):
        documents = rendered(values)
        policy = by_component(documents, "NetworkPolicy")["directory"]
        assert callers(policy, "http", documents) == [{"scim"}, {"sso"}, *others]


def test_ops_ports_take_only_the_monitoring_namespace() -> None:
    documents = rendered(ci("production"))
    for name in SERVING:
        (peer,) = callers(by_component(documents, "NetworkPolicy")[name], "ops", documents)
        assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "observability"}}}


def test_the_public_port_takes_the_ingress_controller_where_it_is_named_and_anyone_otherwise() -> None:
    for values, peers in (
        ("production", [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]),
        ("minimal", [{"anyone": True}]),
    ):
        documents = rendered(ci(values))
        for name in ("scim", "sso"):
            assert callers(by_component(documents, "NetworkPolicy")[name], "http", documents) == peers


def test_every_pod_has_a_policy_and_only_directory_and_the_two_jobs_reach_the_database() -> None:
    documents = rendered(ci("production"))
    policies = by_component(documents, "NetworkPolicy")
    reached = {
        name: {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        for name, policy in policies.items()
    }

    assert reached == {
        "directory": {53, 6432, 4318},
        "migrate": {53, 6432},
        "scim": {53, "http", 443, 4318},
        "sso": {53, "http", 443, 4318},
        "sweep": {53, 6432},
    }
    assert policies["migrate"]["spec"]["ingress"] == policies["sweep"]["spec"]["ingress"] == []
    assert all(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in policies.values())
    for edge in ("scim", "sso"):
        (rule,) = [rule for rule in policies[edge]["spec"]["egress"] if rule["ports"][0]["port"] == "http"]
        assert [selected(peer["podSelector"], documents) for peer in rule["to"]] == [{"directory"}]


@pytest.mark.parametrize(("edge", "name"), [("scim", "FEDERATION_HOSTS"), ("sso", "METADATA_HOSTS")])
def test_an_edge_reaches_out_to_entra_alone_and_not_at_all_where_no_host_is_named(edge: str, name: str) -> None:
    def outside(*more: str) -> list[Document]:
        egress = by_component(rendered(ci("minimal"), *more), "NetworkPolicy")[edge]["spec"]["egress"]
        return [rule for rule in egress if rule["ports"][0]["port"] == 443]

    assert outside() == [{"ports": [{"port": 443, "protocol": "TCP"}]}]
    assert outside("--set", "networkPolicy.federation.to[0].ipBlock.cidr=20.190.128.0/18") == [
        {"ports": [{"port": 443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "20.190.128.0/18"}}]}
    ]
    assert outside("--set-json", "federation.hosts=[]") == []
    for hosts, setting in (('["login.microsoftonline.com"]', "login.microsoftonline.com"), ("[]", "")):
        documents = rendered(ci("minimal"), "--set-json", f"federation.hosts={hosts}")
        (server,) = by_component(documents, "Deployment")[edge]["spec"]["template"]["spec"]["containers"]
        assert {"name": name, "value": setting} in server["env"]


def test_each_service_monitor_selects_one_service_and_its_ops_port() -> None:
    documents = rendered(ci("production"))
    monitors = by_component(documents, "ServiceMonitor")
    for name, monitor in monitors.items():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        services = [s for s in of_kind(documents, "Service") if wanted <= s["metadata"]["labels"].items()]
        assert services == [by_component(documents, "Service")[name]]
        assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["ops"]
        assert monitor["metadata"]["labels"]["release"] == "prometheus"

    assert sorted(monitors) == list(SERVING)
    assert of_kind(rendered(ci("minimal")), "ServiceMonitor") == []


def test_a_budget_leaves_an_eviction_possible_and_one_pod_alone_has_none() -> None:
    budgets = by_component(rendered(ci("minimal")), "PodDisruptionBudget")

    assert sorted(budgets) == list(SERVING)
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets.values())
    assert of_kind(rendered(ci("one-host")), "PodDisruptionBudget") == []
