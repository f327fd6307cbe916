"""Which origins are welcome: by the list, by wildcards, the server's own; and what is told of those that are not."""

import logging
from typing import Any

import pytest

from classwaves import SettingsError
from classwaves.origins import TOLD, Origins
from tests.support.apps import API, AppFactory
from tests.support.hubs import settings_of

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


def origins(*listed: str, **config: Any) -> Origins:
    return Origins(settings_of(ORIGINS=",".join(listed), **config))


def own(host: str = "class.example", scheme: str = "https", **more: str) -> dict[str, str]:
    return {"wsgi.url_scheme": scheme, "HTTP_HOST": host, **more}


@pytest.mark.parametrize(
    ("listed", "origin", "welcome"),
    [
        ("https://shop.example", "https://shop.example", True),
        ("https://Shop.Example/", "https://shop.example", True),
        ("https://shop.example:443", "https://shop.example", True),
        ("https://shop.example", "https://shop.example:443", True),
        ("https://shop.example", "HTTPS://SHOP.EXAMPLE", True),
        ("https://shop.example", "http://shop.example", False),
        ("https://shop.example", "https://shop.example:8443", False),
        ("https://shop.example:8443", "https://shop.example:8443", True),
        ("https://shop.example:8443", "https://shop.example", False),
        ("https://shop.example", "https://shop.example.", False),
        ("https://shop.example", "https://shop.example.evil.example", False),
        ("https://shop.example", "https://evil.example/https://shop.example", False),
        ("https://shop.example", "https://evil@shop.example", False),
        ("https://shop.example", "https://www.shop.example", False),
        ("https://*.school.example", "https://a.school.example", True),
        ("https://*.school.example", "https://A.b-2.SCHOOL.example", True),
        ("https://*.school.example", "https://school.example", False),
        ("https://*.school.example", "https://evilschool.example", False),
        ("https://*.school.example", "https://evil.example#.school.example", False),
        ("https://*.school.example", "https://evil.example?.school.example", False),
        ("https://*.school.example", "https://evil.example\\.school.example", False),
        ("https://*.school.example", "https://evil.example:80.school.example", False),
        ("https://*.school.example", "https://user:pass@a.school.example", False),
        ("https://*.school.example", "https://.school.example", False),
        ("https://*.school.example", "https://a..school.example", False),
        ("https://*.school.example", "https://*.school.example", False),
        ("https://*.school.example", "https://a%2e.school.example", False),
        ("https://*.school.example", "https://a,b.school.example", False),
        ("https://*.school.example", "http://a.school.example", False),
        ("https://*.school.example", "https://a.school.example:8443", False),
        ("https://*.school.example", "https://a.school.example\n", False),
        ("https://*.school.example:8443", "https://a.school.example:8443", True),
        ("https://schüler.example", "https://xn--schler-5ya.example", True),
        ("https://*.schüler.example", "https://a.xn--schler-5ya.example", True),
        ("https://schüler.example", "https://schüler.example", False),
        ("http://[::1]:5173", "http://[::1]:5173", True),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("*", "https://anywhere.example", True),
        ("*", "null", True),
        ("", "null", False),
        ("", "", False),
        ("", "https://", False),
        ("", "https://class.example", True),
        ("", "https://CLASS.example:443", True),
        ("", "http://class.example", False),
        ("", "https://class.example:8000", False),
        ("", "https://other.example", False),
    ],
)
def test_who_is_welcome(listed: str, origin: str, welcome: bool) -> None:
    assert origins(listed).allowed(origin, own()) is welcome


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("school.example", "list of origins"),
        ("https://school.example/lessons", "without paths"),
        ("https://", "list of origins"),
        ("https://school.example:99999", "not a port"),
        ("https://*", "wildcard"),
        ("https://*.example", "top-level domain"),
        ("https://a.*.example", "wildcard"),
        ("https://*school.example", "wildcard"),
        ("https://user@school.example", "list of origins"),
        ("*,https://school.example", "has \\* beside other origins"),
        ("null", "must not have null"),
    ],
)
def test_what_would_match_nothing_or_too_much_is_refused_at_the_start(setting: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"CLASSWAVES_ORIGINS .*{words}"):
        origins(setting)


def test_all_pages_may_come_only_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    origins("*")
    assert "CLASSWAVES_ORIGINS is *" in caplog.text


def test_who_is_refused_is_told_of_once_with_the_setting_to_change(caplog: pytest.LogCaptureFixture) -> None:
    rule = origins("https://shop.example")
    for _ in range(3):
        rule.allowed("https://new.example", own())
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for word in ("https://new.example", "CLASSWAVES_ORIGINS", "https://class.example"):
        assert word in record.getMessage()


def test_behind_a_proxy_that_is_not_trusted_another_setting_is_named(caplog: pytest.LogCaptureFixture) -> None:
    forwarded = {"HTTP_X_FORWARDED_FOR": "10.0.0.1", "HTTP_X_FORWARDED_HOST": "class.example"}
    origins().allowed("https://class.example", own("127.0.0.1:8000", "http", **forwarded))
    origins().allowed("https://class.example", own("class.example", "http", HTTP_X_FORWARDED_FOR="10.0.0.1"))
    assert len(caplog.records) == 2
    assert all("CLASSWAVES_TRUSTED_PROXIES" in record.getMessage() for record in caplog.records)


def test_what_clients_make_up_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    rule = origins()
    rule.allowed("https://evil.example\r\n\x1b[31mSET " + "x" * 9999, own())
    for number in range(TOLD * 3):
        rule.allowed(f"https://evil{number}.example", own())
    assert len(caplog.records) == TOLD
    assert all(record.getMessage().isprintable() and len(record.getMessage()) < 300 for record in caplog.records)


def test_one_rule_holds_for_rest_and_both_transports(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_ORIGINS="https://*.school.example").test_client()
    for origin, welcome in (("https://a.school.example", True), ("https://school.example", False)):
        headers = {"Origin": origin}
        shown = client.get(f"{API}/auth/me", headers=headers).headers.get("Access-Control-Allow-Origin")
        assert shown == (origin if welcome else None)
        assert client.get(HANDSHAKE, headers=headers).status_code == (200 if welcome else 400)
        preflight = client.options(HANDSHAKE, headers={**headers, "Access-Control-Request-Method": "POST"})
        assert (preflight.headers.get("Access-Control-Allow-Origin") == origin) is welcome


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 200),
        ("", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("", {"Sec-Fetch-Site": "none"}, 200),
        ("", {"Sec-Fetch-Site": "cross-site"}, 400),
        ("", {"Sec-Fetch-Site": "same-site"}, 400),
        ("", {"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"}, 200),
        ("", {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 400),
        ("&j=0", {}, 400),
        ("&sj=0", {}, 200),
    ],
)
def test_what_pages_can_ask_without_an_origin_is_refused(
    make_app: AppFactory, query: str, headers: dict[str, str], status: int
) -> None:
    """An image or a script of a page of elsewhere; native clients send none of these fields."""
    client = make_app(CLASSWAVES_ORIGINS="https://shop.example").test_client()
    answer = client.get(HANDSHAKE + query, headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.get_json() == {"code": 3, "message": "Bad request"} or query == ""


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "a b", "", "x" * 300])
def test_the_host_that_a_client_names_is_in_no_answer(make_app: AppFactory, host: str) -> None:
    """Whoever rebinds a name to this server has its own origin, and no token: there are no cookies to ride on."""
    client = make_app().test_client()
    for path in (f"{API}/auth/me", f"{API}/openapi.json", f"{API}/nothing", "/healthz", f"{API}/sessions/"):
        answer = client.get(path, headers={"Host": host})
        assert "evil" not in answer.get_data(as_text=True) + str(answer.headers)


def test_nobody_is_given_a_cookie(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_DEMO=True).test_client()
    login = client.post(f"{API}/auth/login", json={"username": "teacher", "password": "classwaves"})
    answers = [login, *(client.get(path) for path in ("/", "/healthz", f"{API}/auth/me", HANDSHAKE))]
    assert login.status_code == 200
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    assert answers[-1].status_code == 200
    for answer in answers:
        answer.close()
