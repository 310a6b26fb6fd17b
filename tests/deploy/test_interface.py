"""What is deployed exists: commands, settings, metrics, paths; and the files agree in numbers."""

import re
import shlex
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from portico import __version__
from portico.cli import connections, crew, server
from portico.cli import serve as serving
from portico.cli.commands import load
from portico.dialects.fields import MULTIPART_SIZE_MAX
from portico.dialects.portico.routes import WAIT_MAX_S
from portico.pages.routes import page_routes
from portico.providers.local.request import RenderLimits
from portico.settings import Settings
from portico.settings import load as load_settings
from tests.architecture.house import PACKAGE, ROOT, modules, setting_names, shown
from tests.deploy.files import (
    COMPOSE,
    KUBERNETES,
    PAGE,
    SYSTEMD,
    blocks,
    command_lines,
    compose,
    containers,
    everything,
    given_to,
    objects,
    pods,
    read,
    seconds,
    services,
    several,
    size_bytes,
    units,
    variables,
)

DEFAULTS = Settings()
WORKER_PORT = "8081"
NEWS_TRAVEL_S = 5  # until everyone who sends requests to a pod knows that it ends


def test_every_command_line_is_understood():
    unknown = {found for _, words in command_lines() for found in _unknown_options(words)}
    assert unknown == set()


def test_every_way_of_running_was_found():
    found = {words[0] for _, words in command_lines()}
    assert {"serve", "worker", "migrate", "health", "account"} <= found
    assert len(list(command_lines())) >= 12


def test_unknown_option_is_noticed_in_either_parser():
    assert _unknown_options(["serve", "--colour", "blue"]) == {("serve", "--colour")}
    assert _unknown_options(["migrate", "--colour"]) == {("migrate", "--colour")}
    assert _unknown_options(["account", "create", "--mail=a@b.c", "--email", "a@b.c"]) == {
        ("account", "--mail")
    }


def test_every_setting_exists():
    named = {
        name
        for path in everything()
        for name in re.findall(r"\bPORTICO_[A-Z0-9_]*[A-Z0-9]\b", read(path))
    }
    assert named >= {"PORTICO_SECRET_KEY", "PORTICO_PUBLIC_URL", "PORTICO_RENDER_PROCESSES"}
    assert named - setting_names() == set()


def test_every_metric_exists():
    named = {
        name for path in everything() for name in re.findall(r"\bportico_[a-z_]+\b", read(path))
    }
    source = "".join(read(path) for path in modules(PACKAGE))
    assert {"portico_tasks_waiting", "portico_open_tasks"} <= named
    assert [name for name in named if f'"{name}"' not in source] == []


def test_every_path_that_is_asked_is_answered():
    asked = {"/healthz", "/readyz"}  # `portico health`
    asked |= set(re.findall(r"health_uri (\S+)", read(COMPOSE / "Caddyfile")))
    asked |= set(re.findall(r"@inside path (\S+)", read(COMPOSE / "Caddyfile")))
    for pod in pods().values():
        asked |= {
            probe["httpGet"]["path"]
            for name, probe in pod["spec"]["containers"][0].items()
            if name.endswith("Probe")
        }
        asked.add(pod["metadata"].get("annotations", {}).get("prometheus.io/path", "/metrics"))
    assert asked <= _paths()


def test_everyone_speaks_of_one_port():
    caddy = re.findall(r"reverse_proxy api:(\d+)", read(COMPOSE / "Caddyfile"))
    nginx = re.findall(r"server 127\.0\.0\.1:(\d+);", "\n".join(blocks("nginx")))
    set_to = [
        found
        for path in (SYSTEMD / "portico.env", KUBERNETES / "base" / "settings.env")
        for found in re.findall(r"^PORTICO_PORT=(\d+)", read(path), flags=re.MULTILINE)
    ]
    options = _ports_of("serve")
    (api,) = containers()["portico-api"]["ports"]
    scraped = pods()["portico-api"]["metadata"]["annotations"]["prometheus.io/port"]
    assert (len(caddy), len(nginx), len(set_to), len(options)) == (1, 1, 2, 2)
    assert {
        *caddy,
        *nginx,
        *set_to,
        *options,
        str(api["containerPort"]),
        scraped,
        variables()["PORTICO_PORT"],
        *given_to("EXPOSE"),
    } == {str(DEFAULTS.port)}


def test_every_worker_answers_for_its_health_and_is_asked_where_it_answers():
    workers = [words for _, words in command_lines() if words[0] == "worker"]
    options = _ports_of("worker")
    asked = _ports_of("health")
    (worker,) = containers()["portico-worker"]["ports"]
    scraped = pods()["portico-worker"]["metadata"]["annotations"]["prometheus.io/port"]
    assert len(options) == len(workers) >= 3
    assert len(asked) == 1  # compose; Kubernetes asks itself
    assert {*options, *asked, str(worker["containerPort"]), scraped} == {WORKER_PORT}
    assert int(WORKER_PORT) != DEFAULTS.port  # both may be on one machine


def test_everyone_deploys_this_version():
    images = [each["image"] for each in (*services(ours=True).values(), *containers().values())]
    named = set(re.findall(r"portico:(\d[\w.]*)", "".join(read(path) for path in everything())))
    (tag,) = re.findall(r"newTag: (\S+)", read(KUBERNETES / "example" / "kustomization.yaml"))
    (version,) = re.findall(r"^VERSION=(\S+)", read(COMPOSE / ".env.example"), flags=re.MULTILINE)
    assert {image.partition(":")[2] for image in images} | {tag, version} | named == {__version__}


def test_whoever_stops_waits_longer_than_stopping_takes():
    for name, service in services(ours=True).items():
        needed_s = _stop_takes_s(service["environment"], service["command"])
        assert seconds(service["stop_grace_period"]) > needed_s, name
    api = services()["api"]
    needed_s = _stop_takes_s(api["environment"], api["command"])
    assert seconds(services()["proxy"]["stop_grace_period"]) > needed_s
    for name, unit in units().items():
        for line in filter(None, unit["ExecStart"] + several()["ExecStart"]):
            needed_s = _stop_takes_s({}, shlex.split(line))
            assert seconds(unit["TimeoutStopSec"][0]) > needed_s, name
    lines = read(KUBERNETES / "base" / "settings.env").splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    for name in objects("Deployment"):
        spec = pods()[name]["spec"]
        (container,) = spec["containers"]
        assert "lifecycle" not in container  # it would take of the same time
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        needed_s = _stop_takes_s(settings | own, container["args"])
        assert spec["terminationGracePeriodSeconds"] > needed_s, name
    told = {
        compose()["x-portico"]["environment"]["PORTICO_STOP_WITHIN_S"],
        settings["PORTICO_STOP_WITHIN_S"],
    }
    assert told == {str(DEFAULTS.stop_within_s)}


def test_pod_answers_until_everyone_knows_that_it_ends():
    own = {each["name"]: each["value"] for each in containers()["portico-api"]["env"]}
    assert int(own["PORTICO_DRAIN_S"]) >= NEWS_TRAVEL_S
    assert "PORTICO_DRAIN_S" not in read(KUBERNETES / "base" / "settings.env")  # not of workers


def test_workers_have_the_memory_their_renders_may_take():
    (renders,) = re.findall(r"RENDER_PROCESSES=(\d+)", read(KUBERNETES / "base" / "settings.env"))
    limit = containers()["portico-worker"]["resources"]["limits"]["memory"]
    assert size_bytes(limit) > int(renders) * RenderLimits().memory_bytes

    worker = services()["worker"]
    renders = worker["environment"]["PORTICO_RENDER_PROCESSES"]
    limit = worker["deploy"]["resources"]["limits"]["memory"]
    assert size_bytes(limit) > int(renders) * RenderLimits().memory_bytes


def test_proxies_keep_the_limits_of_the_server():
    caddy = read(COMPOSE / "Caddyfile")
    nginx = "\n".join(blocks("nginx"))
    ingress = objects("Ingress")["portico"]["metadata"]["annotations"]
    ingress = {name.rpartition("/")[2]: text for name, text in ingress.items()}

    assert size_bytes(_only(r"\bmax_size (\w+)", caddy)) == MULTIPART_SIZE_MAX
    assert size_bytes(_only(r"client_max_body_size (\w+)", nginx)) == MULTIPART_SIZE_MAX
    assert size_bytes(ingress["proxy-body-size"]) == MULTIPART_SIZE_MAX
    assert size_bytes(_only(r"max_header_size (\w+)", caddy)) == connections.HEAD_SIZE_MAX

    for idle in (_only(r"\bkeepalive (\w+)", caddy), _only(r"keepalive_timeout (\w+)", nginx)):
        assert seconds(idle) < connections.IDLE_S
    for answer in (_only(r"proxy_read_timeout (\w+)", nginx), ingress["proxy-read-timeout"]):
        assert seconds(answer) > WAIT_MAX_S
    assert "response_header_timeout" not in caddy  # as long as it takes


def test_proxies_hold_nothing_back():
    caddy = read(COMPOSE / "Caddyfile")
    assert _only(r"flush_interval (\S+)", caddy) == "-1"
    assert re.findall(r"^\s*encode\b", caddy, flags=re.MULTILINE) == []
    nginx = "\n".join(blocks("nginx"))
    assert {"proxy_buffering off;", "proxy_request_buffering off;"} <= {
        line.strip() for line in nginx.splitlines()
    }
    ingress = objects("Ingress")["portico"]["metadata"]["annotations"]
    assert ingress["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert ingress["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"


@pytest.mark.parametrize("path", everything(), ids=shown)
def test_no_secret_is_written_down(path):
    hits = [
        line
        for line in read(path).splitlines()
        if re.search(r"\w(?:PASSWORD|SECRET|TOKEN|ACCESS_KEY_ID|_KEY)\w*[\"']?\s*[:=]\s*\S", line)
        and not re.search(r"[:=]\s*(?:…|\$\w|\$\(hex )|[?]set ", line)
    ]
    assert hits == []
    logins = re.findall(r"\w+://\w+:([^@/\s]+)@", read(path))
    assert [word for word in logins if word not in {"PASSWORD", "$database"}] == []


def test_ignored_files_are_those_with_secrets():
    ignored = read(ROOT / ".gitignore").splitlines()
    assert {"/deploy/compose/.env", "/deploy/compose/secrets/"} <= set(ignored)


def test_page_names_what_must_be_the_same_everywhere():
    (part,) = re.findall(
        r"## What must be the same on all machines\n(.*?)\n## ", read(PAGE), re.DOTALL
    )
    for name in ("SECRET_KEY", "DATABASE_URL", "STORAGE_URL", "LIMITS_URL", "PUBLIC_URL"):
        assert f"`PORTICO_{name}`" in part


def _ports_of(command: str) -> list[str]:
    """Return the port of each command line of one command that has one."""
    return [
        words[words.index("--port") + 1]
        for _, words in command_lines()
        if words[0] == command and "--port" in words
    ]


def _stop_takes_s(environment: dict[str, str], words: list[str]) -> float:
    """Return how long a process with these settings takes to stop."""
    settings = load_settings(environment | {"PORTICO_CONFIG": ""})
    if "--workers" in words and not settings.drain_s:
        settings = msgspec.structs.replace(settings, drain_s=crew.DRAIN_S)
    return server.stop_takes_s(settings)


def _unknown_options(words: list[str]) -> set[tuple[str, str]]:
    """Return which options a command line names that its command does not have.

    Everything else that is wrong with it fails the test.
    """
    name, *rest = words
    if name == "serve":
        _, left = serving._parser().parse_known_args(rest)
        return {(name, word) for word in left if word.startswith("-")}
    command: Any = load(name)
    if subcommands := getattr(command, "commands", None):
        command = subcommands[rest.pop(0)]
    unknown: set[tuple[str, str]] = set()
    while True:
        try:
            command.make_context(name, list(rest))
        except Exception as error:
            option = getattr(error, "option_name", None)
            if option is None:
                raise
            unknown.add((name, option))
            at = next(i for i, word in enumerate(rest) if word.partition("=")[0] == option)
            has_value = "=" not in rest[at] and rest[at + 1 : at + 2] and rest[at + 1][0] != "-"
            del rest[at : at + (2 if has_value else 1)]
        else:
            return unknown


def _paths() -> set[str]:
    gateway = SimpleNamespace(public_url="https://portico.example.com")
    return set(page_routes(cast("Any", gateway), []))


def _only(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text)
    return str(found)
