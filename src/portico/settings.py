"""Every setting: its name in the environment is `PORTICO_` and the field's name in capitals.

Values come from the environment, else from `portico.toml` in the working folder (or the file
that `PORTICO_CONFIG` names), else from the defaults here. Only `app`, `cli` and `testing` read
this; everyone else receives values.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

CONFIG_FILE = "portico.toml"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may set."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8080
    """Port to listen on."""
    data: str = "portico-data"
    """Folder for the embedded database, stored files, secrets and work files."""
    database_url: str = ""
    """Database, `sqlite:///…` or `postgresql://…`; empty: SQLite in the data folder."""
    storage_url: str = ""
    """Where results are kept (`file:///…`, `s3://bucket/prefix`); empty: in the data folder."""
    storage_links: str = "proxy"
    """`proxy`: results are read and passed on; `signed`: links lead on to the bucket itself."""
    limits_url: str = ""
    """Where request rates are counted (`valkey://…`, `redis://…`); empty: in this process."""
    public_url: str = ""
    """Address under which clients reach this server, for links; empty: http://host:port."""
    private_hosts: str = ""
    """Comma-separated exact host:port pairs that outbound fetches may reach although private."""
    secret_key: str = ""
    """Signs links and webhooks, seals credentials; empty: made once, kept in the data folder."""
    catalogue: str = ""
    """Folder with model files that add to, or replace, the shipped ones."""
    blocklist: str = ""
    """TOML file with forbidden words and patterns; empty: the shipped list."""
    simulate: str = ""
    """`1`, or `latency=2s,fail=0.01`: every model is served by the simulator."""
    log_level: str = "info"
    """debug, info, warning or error."""
    log_json: bool = False
    """Write logs as JSON lines instead of readable text."""
    render_processes: int = 0
    """Renders at once in this process; 0: as many as the machine has cores."""
    queues: str = "render,upstream"
    """Tasks this process takes: `render` (made on this machine), `upstream`; empty: none."""
    result_days: int = 15
    """Days a result can be downloaded."""
    task_days: int = 90
    """Days a task is kept after its end; 0: for ever."""
    task_attempts_max: int = 4
    """How often a task is tried before it fails."""
    stop_within_s: int = 20
    """Seconds that requests under way may take after a stop signal."""
    drain_s: int = 0
    """Seconds after a stop signal in which new requests are still answered, though not ready."""
    xpilot_submits_per_minute: int = 30
    """xPilot: generate calls a minute and key; 0: no limit."""
    xpilot_reads_per_minute: int = 600
    """xPilot: other calls a minute and key; 0: no limit."""
    apixo_requests_per_minute: int = 10_000
    """APIXO: submits a minute and key, and as many reads; 0: no limit."""
    apixo_open_tasks_max: int = 1_000
    """APIXO: tasks under way at once and account; 0: no limit."""
    apixo_insufficient_status: int = 400
    """APIXO: status and code of `Insufficient credits`, 400 or 402."""
    xiaoyang_requests_per_minute: int = 0
    """XiaoYang: submits a minute and key, and as many reads; 0: no limit."""
    yuanjing_requests_per_minute: int = 0
    """Yuanjing: submits a minute and key, and as many reads; 0: no limit."""
    yuanjing_created_upper: bool = False
    """Yuanjing: answer a submit with CREATED instead of the page's `created`."""

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data).absolute()

    @property
    def database(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.folder / 'portico.db'}"

    @property
    def queue_names(self) -> frozenset[str]:
        """The queues from which this process takes tasks."""
        return frozenset(filter(None, (part.strip() for part in self.queues.split(","))))

    @property
    def storage(self) -> str:
        """The storage's URL, with the default filled in."""
        return self.storage_url or f"file://{self.folder / 'files'}"

    @property
    def shown_url(self) -> str:
        """The address under which clients reach this server, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")


def load(environment: Mapping[str, str] | None = None, **given: object) -> Settings:
    """Read the settings; `given` (from the command line) wins over all.

    Raises:
        ValueError: naming the setting that cannot be read.
    """
    environment = os.environ if environment is None else environment
    path = Path(environment.get("PORTICO_CONFIG", CONFIG_FILE))
    values: dict[str, object] = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    for name in Settings.__struct_fields__:
        if (text := environment.get(f"PORTICO_{name.upper()}")) is not None:
            values[name] = text
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        message = f"Unusable setting: {error}"
        raise ValueError(message) from error


def host_pairs(text: str) -> frozenset[tuple[str, int]]:
    """Read `PORTICO_PRIVATE_HOSTS`: exact host:port pairs, comma-separated.

    Raises:
        ValueError: for an entry without a port.
    """
    pairs = set()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        host, _, port = entry.rpartition(":")
        if not host or not port.isdigit():
            message = f"PORTICO_PRIVATE_HOSTS needs host:port pairs, not {entry!r}"
            raise ValueError(message)
        pairs.add((host.strip("[]").lower(), int(port)))
    return frozenset(pairs)
