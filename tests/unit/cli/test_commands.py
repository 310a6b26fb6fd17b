"""What all commands have in common."""

import pytest

from portico import __version__
from portico.cli.commands import COMMANDS, load

GROUPS = ("account", "credit", "key", "ledger", "provider")


def test_help_lists_every_command_with_its_line(portico):
    shown = portico("--help").out
    assert [name for name, line in COMMANDS.items() if f"{name:<9} {line}"[:60] not in shown] == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_command_explains_itself_in_plain_words(portico, name):
    ran = portico(name, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: portico {name}")
    assert "\x1b" not in ran.out


def test_serve_explains_itself(portico):
    ran = portico("serve", "--help")
    assert (ran.code, "--demo" in ran.out) == (0, True)


@pytest.mark.parametrize("name", GROUPS)
def test_group_has_the_line_of_the_list(name):
    assert load(name).help == COMMANDS[name]


def test_every_option_is_explained(portico):
    for name in set(COMMANDS) - {"serve"}:
        command = load(name)
        for each in [command, *getattr(command, "commands", {}).values()]:
            silent = [p.name for p in each.params if p.param_type_name == "option" and not p.help]
            assert silent == [], each.name


def test_version_is_shown(portico):
    assert portico("--version").out == f"portico {__version__}\n"


def test_unknown_command_is_a_usage_error_with_a_suggestion(portico):
    ran = portico("acount")
    assert (ran.code, ran.out) == (2, "")
    assert "account" in ran.err


def test_missing_option_is_a_usage_error(portico):
    ran = portico("account", "create")
    assert (ran.code, ran.out) == (2, "")
    assert "--email" in ran.err


def test_unusable_setting_is_one_line(portico, monkeypatch):
    monkeypatch.setenv("PORTICO_PORT", "high")
    ran = portico("migrate")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "port" in ran.err


def test_unusable_configuration_file_is_one_line(portico, tmp_path):
    (tmp_path / "portico.toml").write_text("colour = 'blue'\n")
    ran = portico("migrate")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "colour" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger", "verify"),
        ("account", "show", "ann@example.com"),
        ("key", "list", "--account", "ann@example.com"),
        ("credit", "grant", "ann@example.com", "1", "--reason", "x"),
        ("usage",),
        ("backup", "copy.db"),
    ],
)
def test_command_on_nothing_makes_nothing(portico, data, arguments):
    ran = portico(*arguments)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "there is no database" in ran.err
    assert not data.exists()


def test_worker_says_where_tasks_run_instead(portico):
    ran = portico("worker")
    assert (ran.code, ran.out) == (2, "")
    assert "portico serve" in ran.err


def test_demo_refuses_to_listen_beyond_this_machine(portico, data):
    ran = portico("serve", "--demo", "--host", "0.0.0.0")
    assert ran.code == 2
    assert "this machine only" in ran.err
    assert not data.exists()


def test_unknown_log_level_stops_the_start(portico, data, monkeypatch):
    monkeypatch.setenv("PORTICO_LOG_LEVEL", "loud")
    ran = portico("serve", "--port", "0")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "PORTICO_LOG_LEVEL must be one of: debug, info" in ran.err
    assert not data.exists()


@pytest.mark.parametrize("port", ["-1", "65536", "http", "８０"])
def test_port_that_is_none_is_a_usage_error(portico, port):
    assert portico("serve", f"--port={port}").code == 2
