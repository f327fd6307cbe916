"""The settings: each is documented and checked, none is swallowed, and no secret leaks."""

import dataclasses
import json
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from classwaves import Settings, SettingsError
from classwaves.demo_keys import demo_keys
from tests.support import processes
from tests.support.gunicorn_server import ROOT, TEST_KEYS

FIELDS = dataclasses.fields(Settings)


def load(config: Mapping[str, Any] | None = None, /, **environ: str) -> Settings:
    return Settings.load(config, {**TEST_KEYS, **environ})


def name_of(field: "dataclasses.Field[Any]") -> str:
    return str(field.metadata["name"])


@pytest.mark.parametrize("field", FIELDS, ids=name_of)
def test_each_setting_is_documented_and_its_default_passes_its_own_check(field: "dataclasses.Field[Any]") -> None:
    name = name_of(field)
    assert name.startswith("CLASSWAVES_") or name in {
        "PORT",
        "WEB_CONCURRENCY",
        "REDIS_URL",
        "JWT_SECRET_KEY",
        "SECRET_KEY",
    }
    assert len(field.metadata["meaning"]) > 10
    if field.default not in ("", (), None):
        assert field.metadata["read"](field.default) == field.default


def test_each_name_means_one_setting() -> None:
    assert len({name_of(field) for field in FIELDS}) == len(FIELDS)


#: Durations that may be none at all.
MAY_BE_NOTHING = {
    "CLASSWAVES_ARCHIVE_DAYS",
    "CLASSWAVES_AUDIT_DAYS",
    "CLASSWAVES_AUTH_WARNING",
    "CLASSWAVES_DRAIN_SECONDS",
    "CLASSWAVES_EPHEMERAL_WINDOW",
    "CLASSWAVES_JWT_LEEWAY",
    "CLASSWAVES_LATE_AFTER",
}


def wrong_values() -> list[tuple[str, str]]:
    """Values that cannot be meant, for every setting that is not free text."""
    wrong: list[tuple[str, str]] = []
    for field in FIELDS:
        match field.default:
            case bool():
                bad = ["maybe", "2"]
            case int():
                bad = ["lots", "1.5", "-1"]
            case float():
                bad = ["soon", "-1", "nan", "inf"] + ([] if name_of(field) in MAY_BE_NOTHING else ["0"])
            case _:
                bad = ["often", "10", "10/fortnight"] if field.name.endswith("_rate") else []
        wrong += [(name_of(field), value) for value in bad]
    return wrong


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *wrong_values(),
        ("WEB_CONCURRENCY", "0"),
        ("CLASSWAVES_STORE", "mongodb"),
        ("CLASSWAVES_MAX_MESSAGE_LENGTH", "1000001"),
        ("CLASSWAVES_URL_PREFIX", "api"),
        ("REDIS_URL", "localhost:6379"),
        ("CLASSWAVES_ARCHIVE_URL", "mysql://localhost/archive"),
        ("CLASSWAVES_ARCHIVE_URL", "archive.sqlite3"),
        ("REDIS_URL", "http://localhost"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(**{name: value})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"CLASSWAVES_REQUIRE_REDIS": "1"}, "REDIS_URL is not"),
        ({"CLASSWAVES_STORE": "redis"}, "REDIS_URL is not"),
        ({"CLASSWAVES_RENEW": "10", "CLASSWAVES_LEASE": "15"}, "half of CLASSWAVES_LEASE"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(**settings)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("CLASSWAVES_ORIGIN", "CLASSWAVES_ORIGINS"),
        ("CLASSWAVES_RATE_LIMIT_ENABLED", "CLASSWAVES_RATELIMIT_ENABLED"),
        ("CLASSWAVES_DEM0", "CLASSWAVES_DEMO"),
        ("CLASSWAVES_REDIS_URL", "REDIS_URL"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(SettingsError, match=rf"{wrong} .*{nearest}\?"):
        load(**{wrong: "1"})
    with pytest.raises(SettingsError, match=rf"{wrong} .*{nearest}\?"):
        load({wrong: "1"})


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"CLASSWAVES_ORIGIN": "x", "PORT": "lots", "SECRET_KEY": "short", "CLASSWAVES_LEASE": "15"}
    with pytest.raises(SettingsError, match=r"^4 settings are wrong:\n- ") as caught:
        load({"CLASSWAVES_STORE": "mongodb", "CLASSWAVES_REQUIRE_REDIS": False, "CLASSWAVES_LEASE": 20.0}, **wrong)
    names = [problem.split()[0] for problem in caught.value.problems]
    assert names == ["CLASSWAVES_ORIGIN", "PORT", "CLASSWAVES_STORE", "SECRET_KEY"]
    assert all(problem in str(caught.value) for problem in caught.value.problems)


def test_what_can_be_read_is_read_where_something_else_is_wrong() -> None:
    settings, problems = Settings.look({}, {"PORT": "lots", "CLASSWAVES_LEASE": "60"})
    assert (settings.port, settings.lease) == (8000, 60.0)
    assert [problem.split()[0] for problem in problems] == ["PORT", "JWT_SECRET_KEY", "SECRET_KEY"]


def test_other_variables_and_flask_settings_are_left_alone() -> None:
    assert load({"TESTING": True, "SQLALCHEMY_DATABASE_URI": "x"}, PATH="/bin", CLASS="x").port == 8000


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "SECRET_KEY"])
@pytest.mark.parametrize(("key", "problem"), [("", "is not set"), ("x" * 31, "is too short")])
def test_a_key_that_is_missing_or_short_is_refused(name: str, key: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} {problem}"):
        load(**{name: key})
    assert load(**{name: "x" * 32}).store_kind == "memory"


def test_key_lengths_count_bytes() -> None:
    assert load(SECRET_KEY="é" * 16).secret_key == "é" * 16


def test_flasks_configuration_wins_over_the_environment() -> None:
    settings = load(
        {"PORT": 9001, "CLASSWAVES_ORIGINS": ["https://a.example/"]},
        PORT="9002",
        CLASSWAVES_ORIGINS="https://b.example",
    )
    assert settings.port == 9001
    assert settings.origins == ("https://a.example",)


def test_the_environment_counts_where_flask_says_nothing() -> None:
    assert load({"PORT": None, "SECRET_KEY": None}, PORT="9002").port == 9002


@pytest.mark.parametrize("name", [name_of(field) for field in FIELDS if name_of(field) not in TEST_KEYS])
def test_an_empty_variable_is_an_unset_one(name: str) -> None:
    assert load(**{name: ""}) == load()


@pytest.mark.parametrize("word", ["1", "true", "YES", " on "])
def test_a_switch_is_on(word: str) -> None:
    assert load(CLASSWAVES_DEMO=word).demo


@pytest.mark.parametrize("word", ["0", "false", "No", "off"])
def test_a_switch_is_off(word: str) -> None:
    assert not load(CLASSWAVES_RATELIMIT_ENABLED=word).ratelimit_enabled


def test_lists_are_comma_separated() -> None:
    origins = load(CLASSWAVES_ORIGINS=" https://a.example , https://b.example/ ,").origins
    assert origins == ("https://a.example", "https://b.example")


def test_the_store_follows_the_address_unless_the_master_decided() -> None:
    url = "redis://127.0.0.1:1/0"
    assert load().store_kind == "memory"
    assert load(REDIS_URL=url).store_kind == "redis"
    assert load(REDIS_URL=url, CLASSWAVES_STORE="memory").store_kind == "memory"


def test_demo_mode_listens_on_this_machine_only() -> None:
    assert load(CLASSWAVES_DEMO="1").bind == "127.0.0.1:8000"
    assert load(PORT="80").bind == "0.0.0.0:80"
    assert load(CLASSWAVES_DEMO="1", CLASSWAVES_HOST="10.0.0.1").bind == "10.0.0.1:8000"


def test_what_is_printed_of_settings_has_no_secret() -> None:
    settings = load(REDIS_URL="rediss://:hunter2@redis.example:6379/0")
    shown = repr(settings) + str(settings) + f"{settings}"
    for secret in ("hunter2", *TEST_KEYS.values()):
        assert secret not in shown


def test_an_error_does_not_repeat_a_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        load(SECRET_KEY="short-secret")
    assert "short-secret" not in str(caught.value)


def test_settings_do_not_change() -> None:
    settings: Any = load()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1


PRINT_KEYS = """
import json
from classwaves import Settings
settings = Settings.load()
print(json.dumps([settings.jwt_secret_key, settings.secret_key]))
"""


def start_demo(home: Path) -> subprocess.Popen[str]:
    """Start a process that loads the settings of demo mode and prints its keys."""
    environ = {**processes.minimal_environ(), "HOME": str(home), "CLASSWAVES_DEMO": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PRINT_KEYS], env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_demo_keys_are_made_once_for_all_processes_and_starts(tmp_path: Path) -> None:
    at_once = [start_demo(tmp_path) for _ in range(3)]
    shown = [json.loads(process.communicate(timeout=60)[0]) for process in at_once]
    later = json.loads(start_demo(tmp_path).communicate(timeout=60)[0])
    assert [*shown, later] == [later] * 4
    assert len(set(later)) == 2
    assert all(len(key) >= 32 for key in later)

    (folder,) = {path.parent for path in tmp_path.rglob("*") if path.is_file()}
    (file,) = folder.iterdir()
    assert not file.is_relative_to(ROOT)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_of_several_who_make_the_demo_keys_at_once_one_wins(tmp_path: Path) -> None:
    for attempt in range(20):
        folder, start = tmp_path / str(attempt), threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda _, f=folder, s=start: (s.wait(10), demo_keys(str(f)))[1], range(8)))
        assert keys == keys[:1] * 8
        assert [path.name for path in folder.iterdir()] == ["demo-keys.json"]


def test_demo_keys_of_different_homes_differ(tmp_path: Path) -> None:
    one, other = (
        Settings.load({"CLASSWAVES_DEMO": True, "CLASSWAVES_STATE_DIR": str(tmp_path / name)}, {}) for name in "ab"
    )
    assert one.jwt_secret_key != other.jwt_secret_key


def test_demo_mode_takes_the_keys_it_is_given(tmp_path: Path) -> None:
    settings = load(CLASSWAVES_DEMO="1", CLASSWAVES_STATE_DIR=str(tmp_path))
    assert settings.jwt_secret_key == TEST_KEYS["JWT_SECRET_KEY"]
    assert not list(tmp_path.iterdir())


def test_demo_mode_without_a_place_for_its_keys_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="CLASSWAVES_STATE_DIR"):
        Settings.load({"CLASSWAVES_DEMO": True, "CLASSWAVES_STATE_DIR": str(tmp_path / "file")}, {})


def test_what_lasts_has_a_place_of_its_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(CLASSWAVES_DATA_DIR=str(tmp_path)).data_folder == tmp_path
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert load().data_folder == tmp_path / "xdg" / "classwaves"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert load().data_folder == Path.home() / ".local" / "share" / "classwaves"
