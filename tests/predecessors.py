"""Small databases shaped like those of new-api and one-api, as all three kinds of source."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

PASSWORD_HASH = "$2a$10$canary-password-hash"
CLIENT_KEY = "sk-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0hL3oR6uX9bD2eG5iJ8"
UPSTREAM_KEY = "sk-canary-upstream-0001"
SECOND_UPSTREAM_KEY = "sk-canary-upstream-0002"
SECRETS = (PASSWORD_HASH, CLIENT_KEY[3:], UPSTREAM_KEY, SECOND_UPSTREAM_KEY, "canary")

# name, type in SQLite and Postgres, type in MySQL
USERS = (
    ("id", "integer", "bigint NOT NULL AUTO_INCREMENT"),
    ("username", "text", "varchar(191) DEFAULT NULL"),
    ("password", "text", "longtext NOT NULL"),
    ("display_name", "text", "varchar(191) DEFAULT NULL"),
    ("role", "integer", "int DEFAULT '1'"),
    ("status", "integer", "int DEFAULT '1'"),
    ("email", "text", "varchar(191) DEFAULT NULL"),
    ("access_token", "text", "char(32) DEFAULT NULL"),
    ("quota", "bigint", "int DEFAULT '0'"),
    ("used_quota", "bigint", "int DEFAULT '0'"),
    ("group", "text", "varchar(64) DEFAULT 'default'"),
    ("aff_quota", "bigint", "int DEFAULT '0'"),
    ("setting", "text", "text"),
    ("deleted_at", "text", "datetime(3) DEFAULT NULL"),
)
TOKENS = (
    ("id", "integer", "bigint NOT NULL AUTO_INCREMENT"),
    ("user_id", "integer", "bigint DEFAULT NULL"),
    ("key", "char(48)", "char(48) DEFAULT NULL"),
    ("status", "integer", "bigint DEFAULT '1'"),
    ("name", "text", "varchar(191) DEFAULT NULL"),
    ("created_time", "bigint", "bigint DEFAULT NULL"),
    ("expired_time", "bigint", "bigint DEFAULT '-1'"),
    ("remain_quota", "bigint", "bigint DEFAULT '0'"),
    ("unlimited_quota", "boolean", "tinyint(1) DEFAULT NULL"),
    ("model_limits_enabled", "boolean", "tinyint(1) DEFAULT NULL"),
    ("model_limits", "text", "varchar(1024) DEFAULT ''"),
    ("allow_ips", "text", "varchar(191) DEFAULT ''"),
    ("used_quota", "bigint", "bigint DEFAULT '0'"),
    ("deleted_at", "text", "datetime(3) DEFAULT NULL"),
)
CHANNELS = (
    ("id", "integer", "bigint NOT NULL AUTO_INCREMENT"),
    ("type", "integer", "bigint DEFAULT '0'"),
    ("key", "text", "longtext NOT NULL"),
    ("status", "integer", "bigint DEFAULT '1'"),
    ("name", "text", "varchar(191) DEFAULT NULL"),
    ("weight", "integer", "bigint unsigned DEFAULT '0'"),
    ("base_url", "text", "varchar(191) DEFAULT ''"),
    ("models", "text", "longtext"),
    ("group", "text", "varchar(64) DEFAULT 'default'"),
    ("model_mapping", "text", "text"),
    ("priority", "bigint", "bigint DEFAULT '0'"),
    ("channel_info", "text", "json DEFAULT NULL"),
)
OPTIONS = (("key", "text", "varchar(191) NOT NULL"), ("value", "text", "longtext"))
LOGS = (("id", "integer", "bigint NOT NULL"), ("content", "text", "longtext"))
TABLES = {
    "channels": CHANNELS, "logs": LOGS, "options": OPTIONS, "tokens": TOKENS, "users": USERS,
}  # fmt: skip

OPTION_VALUES = {
    "QuotaPerUnit": "500000",
    "ModelRatio": json.dumps({"gpt-4o": 1.25, "my-llama": 0.5, "mystery": 1, "dall-e-3": 20}),
    "CompletionRatio": json.dumps({"gpt-4o": 4, "my-llama": 3}),
    "CacheRatio": json.dumps({"gpt-4o": 0.5}),
    "ModelPrice": json.dumps({"all-in": 0.1, "mj_imagine": 0.1, "seedream-4.5": 0.04}),
    "GroupRatio": json.dumps({"default": 1, "vip": 0.8}),
    "SMTPToken": "canary-smtp",
}


def _user(number: int, name: str, **other: Any) -> dict[str, Any]:
    return {
        "id": number,
        "username": name,
        "password": PASSWORD_HASH,
        "role": 1,
        "status": 1,
        "email": "",
        "quota": 0,
        "group": "default",
        "aff_quota": 0,
    } | other


def _token(number: int, user_id: int, key: str, **other: Any) -> dict[str, Any]:
    return {
        "id": number,
        "user_id": user_id,
        "key": key,
        "status": 1,
        "name": f"token {number}",
        "created_time": 1_700_000_000,
        "expired_time": -1,
        "remain_quota": 0,
        "unlimited_quota": True,
        "model_limits_enabled": False,
        "model_limits": "",
        "allow_ips": "",
    } | other


def _channel(number: int, kind: int, key: str, models: str, **other: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": kind,
        "key": key,
        "status": 1,
        "name": f"channel {number}",
        "weight": 0,
        "base_url": "",
        "models": models,
        "group": "default",
        "model_mapping": "",
        "priority": 0,
    } | other


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return one of everything there may be in such a database."""
    return {
        "users": [
            _user(1, "root", role=100, email="Root@Example.com", quota=500_000_000),
            _user(2, "O'Brien; DROP TABLE users;-- /*", quota=123_457, group="vip", aff_quota=777),
            _user(3, "小明", status=2, email="xm@example.com", quota=1),
            _user(4, "twin", email="xm@example.com", quota=50_000),
            _user(5, "gone", email="gone@example.com", quota=10_000, deleted_at="2024-01-02 03:04"),
            _user(6, "debtor", email="debtor@example.com", quota=-2_500),
            _user(7, "\\back\\slash'", email="no address", quota=5_000),
        ],
        "tokens": [
            _token(1, 1, CLIENT_KEY[3:]),
            _token(2, 2, "b" * 48, unlimited_quota=False, remain_quota=5_001),
            _token(3, 2, "c" * 48, status=2),
            _token(4, 3, "d" * 48, expired_time=1_700_000_100, status=3),
            _token(5, 4, "e" * 48, unlimited_quota=False, remain_quota=-9, status=4),
            _token(6, 4, "f" * 48, model_limits_enabled=True, model_limits="gpt-4o"),
            _token(7, 4, "short"),
            _token(8, 5, "g" * 48),
            _token(9, 99, "h" * 48),
            _token(10, 4, "i" * 48, deleted_at="2024-01-02 03:04"),
            _token(11, 7, "j" * 48, allow_ips="10.0.0.1"),
        ],
        "channels": [
            _channel(1, 1, UPSTREAM_KEY, "gpt-4o,my-llama", weight=3,
                     model_mapping='{"my-llama": "llama-3-70b"}'),
            _channel(2, 1, f"{UPSTREAM_KEY}\n{SECOND_UPSTREAM_KEY}\n", "gpt-4o", priority=5,
                     base_url="https://relay.example.com/",
                     channel_info='{"is_multi_key": true, "multi_key_status_list": {"1": 2}}'),
            _channel(3, 14, "sk-canary-claude", "claude-3"),
            _channel(4, 1, "sk-canary-four", "all-in,mystery,mj_imagine,dall-e-3,unpriced",
                     status=3, base_url="https://four.example.com/v1"),
            _channel(5, 1, "sk-canary-five", "gpt-4o", group="vip"),
            _channel(6, 54, "canary-ark", "seedream-4.5"),
            _channel(7, 1, "bad key with\u00e9", "gpt-4o"),
        ],
        "options": [{"key": key, "value": value} for key, value in OPTION_VALUES.items()],
        "logs": [{"id": 1, "content": "INSERT INTO `users` VALUES (666,'x'); -- it's \\ \"odd\""}],
    }  # fmt: skip


def make_sqlite(path: Path, content: Rows | None = None) -> Path:
    connection = sqlite3.connect(path)
    for table, columns in TABLES.items():
        declared = ", ".join(f'"{name}" {kind}' for name, kind, _ in columns)
        connection.execute(f'CREATE TABLE "{table}" ({declared})')
        names = [name for name, _, _ in columns]
        for row in (content or rows())[table]:
            places = ", ".join("?" * len(names))
            values = [row.get(name) for name in names]
            connection.execute(f'INSERT INTO "{table}" VALUES ({places})', values)  # noqa: S608
    connection.commit()
    connection.close()
    return path


async def fill_postgres(url: str, content: Rows | None = None) -> None:
    content = content or rows()
    connection = await asyncpg.connect(url)
    try:
        for table, columns in TABLES.items():
            declared = ", ".join(f'"{name}" {kind}' for name, kind, _ in columns)
            await connection.execute(f'CREATE TABLE "{table}" ({declared})')
            names = [name for name, _, _ in columns]
            records = [tuple(row.get(name) for name in names) for row in content[table]]
            await connection.copy_records_to_table(table, records=records, columns=names)
    finally:
        await connection.close()


def mysql_dump(content: Rows | None = None) -> str:
    """Return what mysqldump would write: one INSERT with many rows for each table."""
    parts = ["-- MySQL dump 10.13  Distrib 8.0.36\n--\n/*!40101 SET NAMES utf8mb4 */;\n"]
    for table, columns in TABLES.items():
        parts.append(f"DROP TABLE IF EXISTS `{table}`;\nCREATE TABLE `{table}` (\n")
        parts += [f"  `{name}` {kind},\n" for name, _, kind in columns]
        parts.append(f"  PRIMARY KEY (`{columns[0][0]}`),\n  KEY `idx_{table}` (`id`,`name`)\n")
        parts.append(") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='it''s; one';\n\n")
        parts.append(
            f"LOCK TABLES `{table}` WRITE;\n/*!40000 ALTER TABLE `{table}` DISABLE KEYS */;\n"
        )
        names = [name for name, _, _ in columns]
        tuples = (
            "(" + ",".join(_literal(row.get(name)) for name in names) + ")"
            for row in (content or rows())[table]
        )
        parts.append(f"INSERT INTO `{table}` VALUES {','.join(tuples)};\n")  # noqa: S608
        parts.append("UNLOCK TABLES;\n")
    return "".join(parts)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(int(value))
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return "'" + text.replace('"', '\\"') + "'"


def make_dump(path: Path, content: Rows | None = None) -> Path:
    path.write_text(mysql_dump(content), encoding="utf-8")
    return path
