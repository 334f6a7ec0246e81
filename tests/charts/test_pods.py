"""What the schemas cannot see of pods: security, secrets, environment, probes and the drain."""

import importlib
from pathlib import Path

import msgspec
import pytest

from tests.charts.rendering import (
    CI_FILES,
    SERVING,
    Document,
    by_component,
    ci,
    component,
    of_kind,
    pod_templates,
    rendered,
    template,
)

every_example = pytest.mark.parametrize("values", CI_FILES, ids=lambda path: path.stem)


def containers(documents: list[Document]) -> list[Document]:
    return [container for pod in pod_templates(documents) for container in pod["spec"]["containers"]]


@every_example
def test_every_pod_is_restricted_and_has_a_read_only_root(values: Path) -> None:
    documents = rendered(values)
    for pod in pod_templates(documents):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} == {"projected", "emptyDir"}
    for container in containers(documents):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        }
    assert len(pod_templates(documents)) >= 3


@every_example
def test_every_container_asks_for_cpu_and_memory_and_has_a_memory_limit(values: Path) -> None:
    for container in containers(rendered(values)):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


@every_example
def test_nothing_that_helm_4_merges_by_name_comes_twice(values: Path) -> None:
    documents = rendered(values)
    for container in containers(documents):
        for field, key in (
            ("env", "name"),
            ("volumeMounts", "mountPath"),
            ("ports", "containerPort"),
            ("ports", "name"),
        ):
            keys = [item[key] for item in container.get(field, [])]
            assert len(keys) == len(set(keys)), f"{container['name']}: {field}"
    for pod in pod_templates(documents):
        names = [volume["name"] for volume in pod["spec"]["volumes"]]
        mounted = {mount["name"] for container in pod["spec"]["containers"] for mount in container["volumeMounts"]}
        assert len(names) == len(set(names))
        assert set(names) == mounted


@every_example
def test_the_grace_period_holds_drain_and_shutdown(values: Path) -> None:
    for deployment in of_kind(rendered(values), "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        (server, *_) = spec["containers"]
        drain = server["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace = int(env_of(server)["SHUTDOWN_GRACE_S"])
        assert drain >= 5
        assert spec["terminationGracePeriodSeconds"] == drain + grace + 5


@every_example
def test_probes_ask_the_ops_port_and_only_readiness_depends_on_others(values: Path) -> None:
    for deployment in of_kind(rendered(values), "Deployment"):
        (server, *_) = deployment["spec"]["template"]["spec"]["containers"]
        probes = {name: server[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert probes == {
            "startupProbe": {"path": "/healthz", "port": "ops"},
            "livenessProbe": {"path": "/healthz", "port": "ops"},
            "readinessProbe": {"path": "/readyz", "port": "ops"},
        }
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def env_of(container: Document) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def secrets_of(pod: Document, container: Document) -> dict[str, tuple[str, str]]:
    """File path in the container → existing Secret and its key."""
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    return {
        f"{mount['mountPath']}/{item['path']}": (source["secret"]["name"], item["key"])
        for mount in container["volumeMounts"]
        for source in volumes[mount["name"]].get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }


def files_by_container(documents: list[Document]) -> dict[str, dict[str, tuple[str, str]]]:
    return {
        container["name"]: {path.rsplit("/", 1)[1]: secret for path, secret in secrets_of(pod, container).items()}
        for pod in pod_templates(documents)
        for container in pod["spec"]["containers"]
    }


def test_each_container_is_given_its_own_secrets_and_no_others() -> None:
    owner, application = ("gateway-database-owner", "url"), ("gateway-database", "url")
    scim, sso = ("gateway-scim-credential", "credential"), ("gateway-sso-credential", "credential")

    assert files_by_container(rendered(ci("minimal"))) == {
        "migrate": {"DATABASE_URL": owner, "DATABASE_APP_URL": application},
        "operator": {"DATABASE_URL": owner, "DATABASE_APP_URL": application},
        "directory": {"DATABASE_APP_URL": application, "SCIM_INGEST_SECRET": scim, "SSO_GATEWAY_SECRET": sso},
        "sweep": {"DATABASE_URL": owner},
        "scim": {"DIRECTORY_SECRET": scim},
        "sso": {"DIRECTORY_SECRET": sso},
    }


def test_the_apps_and_the_signing_keys_are_sso_gateways_alone_and_a_first_set_has_no_previous_key() -> None:
    documents = rendered(ci("production"))
    files = files_by_container(documents)
    keys = {f"{slot}.pem": ("gateway-signing-keys", f"{slot}.pem") for slot in ("current", "next", "previous")}
    own = {"DIRECTORY_SECRET": ("gateway-credentials", "sso"), "OIDC_CLIENTS": ("gateway-apps", "clients.json")}
    assert files["sso"] == {**own, **keys}
    assert not any("signing" in secret for name in files.keys() - {"sso"} for secret, _ in files[name].values())
    (sso,) = [pod for pod in pod_templates(documents) for one in pod["spec"]["containers"] if one["name"] == "sso"]
    environment = env_of(sso["spec"]["containers"][0])
    assert environment["OIDC_CLIENTS_FILE"] == "/run/secrets/identity-gateway/OIDC_CLIENTS"
    (volume,) = [one for one in sso["spec"]["volumes"] if one["name"] == "sso-signing-keys"]
    (mount,) = [one for one in sso["spec"]["containers"][0]["volumeMounts"] if one["name"] == "sso-signing-keys"]
    assert environment["OIDC_KEYS_DIR"] == mount["mountPath"]
    optional = {
        item["key"]: source["secret"].get("optional", False)
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    assert optional == {"current.pem": False, "next.pem": False, "previous.pem": True}


def test_without_operator_commands_the_owner_role_is_in_the_two_jobs_alone() -> None:
    holders = {
        name for name, files in files_by_container(rendered(ci("production"))).items() if "DATABASE_URL" in files
    }

    assert holders == {"migrate", "sweep"}


@every_example
def test_every_secret_is_an_existing_one_and_read_from_a_mounted_file(values: Path) -> None:
    documents = rendered(values)
    assert of_kind(documents, "Secret") == []
    for pod in pod_templates(documents):
        for container in pod["spec"]["containers"]:
            files = {value for name, value in env_of(container).items() if name.endswith("_FILE")}
            mounted = secrets_of(pod, container).keys()
            keys = {path for path in mounted if path.startswith(f"{env_of(container).get('OIDC_KEYS_DIR', '-')}/")}
            assert files == mounted - keys
            assert all("valueFrom" not in variable for variable in container["env"])
            assert "envFrom" not in container


SETTINGS = {
    "directory": ("directory.settings", "Settings"),
    "operator": ("directory.settings", "DatabaseSettings"),
    "migrate": ("directory.settings", "DatabaseSettings"),
    "sweep": ("directory.settings", "DatabaseSettings"),
    "scim": ("scim_ingest.settings", "Settings"),
    "sso": ("sso_gateway.settings", "Settings"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_container_is_given_what_its_settings_require_and_nothing_they_do_not_know(name: str) -> None:
    module, kind = SETTINGS[name]
    fields = msgspec.structs.fields(getattr(importlib.import_module(module), kind))
    known, required = ({f.name.upper() for f in fields if f.required or not only} for only in (False, True))
    for values in CI_FILES:
        for container in containers(rendered(values)):
            if container["name"] == name:
                given = {variable.removesuffix("_FILE") for variable in env_of(container)}
                assert required <= given <= known


def test_what_an_environment_value_says_arrives_as_written() -> None:
    environment = {c["name"]: env_of(c) for c in containers(rendered(ci("production")))}

    assert environment["scim"]["MAX_BODY_BYTES"] == "1048576"
    assert environment["sso"]["LOGIN_TTL_S"] == "900"
    assert environment["sso"]["LOGIN_RATE_PER_COMPANY"] == "400"
    assert environment["sso"]["LOGIN_RATE_PER_ADDRESS"] == "62.5"
    assert environment["sso"]["FORWARDED_ALLOW_IPS"] == "10.0.0.0/8,192.0.2.7"
    assert environment["sso"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.monitoring:4318"


def test_a_variable_of_the_charts_own_cannot_be_given_again() -> None:
    done = template("helm4", "-f", ci("minimal"), "--set", "sso.env.PUBLIC_URL=https://evil.example.com")

    assert done.returncode != 0
    assert "sso.env.PUBLIC_URL: the chart sets this variable itself" in done.stderr


def test_a_digest_wins_over_the_tag_and_both_jobs_run_directorys_image() -> None:
    images = {c["name"]: c["image"] for c in containers(rendered(ci("production")))}

    assert images["sso"] == f"registry.example.com/identity/sso-gateway@sha256:{'1' * 64}"
    assert (
        images["migrate"]
        == images["sweep"]
        == images["directory"]
        == f"registry.example.com/identity/directory@sha256:{'3' * 64}"
    )
    assert {c["image"].rpartition(":")[2] for c in containers(rendered(ci("one-host")))} == {"trial-7"}


def test_migrations_run_before_the_pods_change_and_bring_their_own_account() -> None:
    documents = rendered(ci("minimal"))
    (job,) = of_kind(documents, "Job")
    account = by_component(documents, "ServiceAccount")["migrate"]

    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    hooks = [document["metadata"]["annotations"] for document in (account, job)]
    assert {hook["helm.sh/hook"] for hook in hooks} == {"pre-install,pre-upgrade"}
    assert int(hooks[0]["helm.sh/hook-weight"]) < int(hooks[1]["helm.sh/hook-weight"])
    assert of_kind(rendered(ci("one-host")), "Job") == []


def test_the_sweep_runs_every_hour_never_twice_at_once_and_ends_before_the_next() -> None:
    documents = rendered(ci("minimal"))
    (sweep,) = of_kind(documents, "CronJob")
    job = sweep["spec"]["jobTemplate"]["spec"]
    account = by_component(documents, "ServiceAccount")["sweep"]

    assert sweep["spec"]["schedule"] == "17 * * * *"
    assert sweep["spec"]["timeZone"] == "Etc/UTC"
    assert sweep["spec"]["concurrencyPolicy"] == "Forbid"
    # Ten seconds is how often the controller looks; less would pass over what it sees late.
    assert sweep["spec"]["startingDeadlineSeconds"] > 10
    assert job["activeDeadlineSeconds"] < 3600
    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["template"]["spec"]["containers"][0]["args"] == ["sweep"]
    assert job["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert "annotations" not in sweep["metadata"], "no hook: it lives as long as the release"


@every_example
def test_the_name_of_the_sweep_leaves_room_for_the_names_of_its_jobs(values: Path) -> None:
    (sweep,) = of_kind(rendered(values), "CronJob")

    assert len(sweep["metadata"]["name"]) <= 52
    assert sweep["metadata"]["name"].endswith("-sweep")


def test_without_the_sweep_nothing_of_it_is_left() -> None:
    documents = rendered(ci("minimal"), "--set", "sweep.enabled=false")

    assert "sweep" not in {component(document) for document in documents}


def test_a_changed_setting_or_secret_replaces_the_pods() -> None:
    def checksums(*extra: str) -> list[str]:
        deployments = by_component(rendered(ci("minimal"), *extra), "Deployment")
        return [deployments[name]["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for name in SERVING]

    before = checksums()
    assert all(old != new for old, new in zip(before, checksums("--set-string", "secretsRevision=2"), strict=True))
    assert before[2] != checksums("--set", "sso.env.SESSION_TTL_S=60")[2]
