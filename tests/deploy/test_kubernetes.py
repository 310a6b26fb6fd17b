"""The Kubernetes manifests: the rules that matter, the official schemas, and that they fit."""

import asyncio
import re
import shutil
import subprocess

import asyncpg
import kubernetes_validate
import pytest
import yaml

from portico.pages import health
from portico.store import open_store
from portico.tasks import tables
from portico.testing import rows
from tests.deploy.files import (
    KUBERNETES,
    PAGE,
    blocks,
    containers,
    manifests,
    objects,
    pods,
    read,
)

OLDEST = "1.30"  # what the page promises
VERSIONS = (OLDEST, kubernetes_validate.latest_version())
NOT_OF_KUBERNETES = {"ScaledObject", "TriggerAuthentication"}
PARTS = [path.parent for path in sorted(KUBERNETES.rglob("kustomization.yaml"))]
EVERY_POD = pytest.mark.parametrize("name", pods())
EVERY_DEPLOYMENT = pytest.mark.parametrize("name", objects("Deployment"))


def _shown(found):
    return f"{found['kind']}-{found['metadata']['name']}"


@pytest.fixture(scope="module")
def built():
    """The example, as it would be sent to a cluster."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on this machine")
    ran = subprocess.run(
        [kubectl, "kustomize", KUBERNETES / "example"], capture_output=True, check=False
    )
    assert (ran.returncode, ran.stderr.decode()) == (0, "")
    return list(yaml.safe_load_all(ran.stdout))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("found", manifests(), ids=_shown)
def test_object_is_what_the_schema_says(found, version):
    if found["kind"] in NOT_OF_KUBERNETES:
        with pytest.raises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate(found, version, strict=True)
    else:
        kubernetes_validate.validate(found, version, strict=True)


def test_schema_would_notice_a_misspelt_field():
    wrong = {**objects("Deployment")["portico-api"]}
    wrong["spec"] = wrong["spec"] | {"replica": 2}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_page_promises_the_oldest_version_that_is_checked():
    assert f"Kubernetes {OLDEST} or newer" in read(PAGE)


@EVERY_POD
def test_pod_is_held_to_the_restricted_standard(name):
    spec = pods()[name]["spec"]
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@EVERY_POD
def test_pod_writes_to_its_work_folder_and_tmp_alone(name):
    volumes = {
        each["name"]: each["emptyDir"]["sizeLimit"] for each in pods()[name]["spec"]["volumes"]
    }
    mounts = {each["name"]: each["mountPath"] for each in containers()[name]["volumeMounts"]}
    assert set(volumes) == set(mounts) == {"work", "tmp"}
    assert mounts["tmp"] == "/tmp"  # noqa: S108 - a folder of the container


@EVERY_POD
def test_pod_asks_for_what_it_needs_and_has_a_limit_of_memory(name):
    resources = containers()[name]["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


@EVERY_POD
def test_pod_takes_settings_and_secrets_by_name(name):
    assert containers()[name]["envFrom"] == [
        {"configMapRef": {"name": "portico-settings"}},
        {"secretRef": {"name": "portico-secrets"}},
    ]
    assert objects("Secret") == {}


@EVERY_DEPLOYMENT
def test_pod_has_all_three_probes(name):
    container = containers()[name]
    (port,) = container["ports"]
    assert container["startupProbe"]["httpGet"] == container["livenessProbe"]["httpGet"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert container["readinessProbe"]["timeoutSeconds"] > 2 * health.CHECK_WITHIN_S
    start = container["startupProbe"]
    assert start["failureThreshold"] * start["periodSeconds"] >= 120


@EVERY_DEPLOYMENT
def test_pods_metrics_are_found_and_can_be_reached(name):
    (port,) = containers()[name]["ports"]
    annotations = pods()[name]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    policy = objects("NetworkPolicy")[name]["spec"]
    assert (
        policy["podSelector"]["matchLabels"].items() <= pods()[name]["metadata"]["labels"].items()
    )
    assert policy["ingress"] == [{"ports": [{"port": port["name"], "protocol": "TCP"}]}]


def test_api_is_replaced_without_a_gap_and_spread_over_machines():
    for name, deployment in objects("Deployment").items():
        assert deployment["spec"]["replicas"] >= 2
        spec = pods()[name]["spec"]
        (apart,) = spec["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        assert apart["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    strategy = objects("Deployment")["portico-api"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 0, "maxSurge": 1}


def test_every_deployment_has_a_disruption_budget():
    assert set(objects("PodDisruptionBudget")) == set(objects("Deployment"))


def test_every_selector_finds_its_pods():
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    for name, deployment in objects("Deployment").items():
        selectors = [deployment["spec"]["selector"]["matchLabels"]]
        selectors.append(objects("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"])
        for part in ("affinity", "topologySpreadConstraints"):
            text = yaml.safe_dump(pods()[name]["spec"][part])
            selectors += [
                {key: value} for key, value in re.findall(r"(app\.kubernetes\.io/\w+): (\w+)", text)
            ]
        assert [each for each in selectors if not each.items() <= labels[name].items()] == []
    service = objects("Service")["portico"]["spec"]["selector"]
    assert service.items() <= labels["portico-api"].items()
    assert not service.items() <= labels["portico-worker"].items()
    assert "selector" not in objects("Service")["portico-nowhere"]["spec"]
    everyone = objects("NetworkPolicy")["portico"]["spec"]["podSelector"]["matchLabels"]
    assert [name for name in labels if not everyone.items() <= labels[name].items()] == []


def test_migration_comes_first_with_what_it_needs():
    first = {
        _shown(each) for each in manifests() if each["metadata"].get("labels", {}).get("rollout")
    }
    assert first == {"ServiceAccount-portico", "Job-portico-migrate"}
    base = yaml.safe_load(read(KUBERNETES / "base" / "kustomization.yaml"))
    (settings,) = base["configMapGenerator"]
    assert settings["options"]["labels"] == {"rollout": "first"}
    commands = "\n".join(blocks("bash"))
    assert commands.index("--selector rollout=first") < commands.index("job/portico-migrate")
    spec = objects("Job")["portico-migrate"]["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["backoffLimit"] >= 1


def test_scalers_scale_what_is_there():
    scaled = objects("ScaledObject")["portico-worker"]["spec"]
    assert scaled["scaleTargetRef"]["name"] in objects("Deployment")
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    (trigger,) = scaled["triggers"]
    assert trigger["authenticationRef"]["name"] in objects("TriggerAuthentication")
    api = objects("HorizontalPodAutoscaler")["portico-api"]["spec"]
    assert api["scaleTargetRef"]["name"] in objects("Deployment")
    assert api["minReplicas"] >= 2


def test_secret_has_the_keys_that_are_asked_for():
    documented = {line.partition("=")[0] for line in blocks("text")}
    (asked,) = objects("TriggerAuthentication")["portico-database"]["spec"]["secretTargetRef"]
    assert (asked["name"], asked["parameter"]) == ("portico-secrets", "connection")
    assert asked["key"] in documented
    assert {"PORTICO_SECRET_KEY", "PORTICO_DATABASE_URL"} <= documented


def test_workers_are_counted_by_a_query_that_counts_open_tasks(postgres):
    (trigger,) = objects("ScaledObject")["portico-worker"]["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    assert f"({tables._OPEN})" in query  # to the letter as in the partial index
    assert asyncio.run(_counted(postgres, query)) == (0, 2)


async def _counted(postgres, query):
    """Return what a query says of an empty database, and of one with two open tasks."""
    url = postgres.emptied()
    connection = await asyncpg.connect(url)
    store = await open_store(url)
    try:
        empty = await connection.fetchval(query)
        await store.write(_two_open_tasks)
        return empty, await connection.fetchval(query)
    finally:
        await store.close()
        await connection.close()


def _two_open_tasks(tx):
    caller = rows.add_account(tx, amount=10_000_000)
    for number in (1, 2):
        rows.admit(tx, rows.new_task(number, caller))


@pytest.mark.parametrize("folder", PARTS, ids=lambda path: path.name)
def test_kustomization_names_files_that_are_there_and_all_of_them(folder):
    part = yaml.safe_load(read(folder / "kustomization.yaml"))
    named = [*part.get("resources", []), *part.get("components", [])]
    assert [name for name in named if not (folder / name).exists()] == []
    here = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert here == {name for name in named if name.endswith(".yaml")}


def test_example_is_sound_when_put_together(built):
    for found in built:
        if found["kind"] not in NOT_OF_KUBERNETES:
            kubernetes_validate.validate(found, OLDEST, strict=True)
    assert {_shown(each) for each in built if each["kind"] != "ConfigMap"} == {
        _shown(each) for each in manifests()
    }
    assert {each["metadata"]["namespace"] for each in built} == {"portico"}


def test_example_hands_the_settings_to_every_pod(built):
    ((name, settings),) = objects("ConfigMap", built).items()
    assert re.fullmatch(r"portico-settings-\w+", name)
    assert settings["metadata"]["labels"]["rollout"] == "first"
    assert {"PORTICO_PUBLIC_URL", "PORTICO_RENDER_PROCESSES"} <= set(settings["data"])
    for pod in pods(built).values():
        (container,) = pod["spec"]["containers"]
        assert container["envFrom"][0]["configMapRef"]["name"] == name
        assert container["image"].startswith("registry.example.com/portico:")


def test_example_leaves_the_number_of_pods_to_the_scalers(built):
    assert [
        n for n, each in objects("Deployment", built).items() if "replicas" in each["spec"]
    ] == []
