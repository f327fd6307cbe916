"""Where a request is from, behind so many proxies: what each adds to ``X-Forwarded-For`` is believed, and no more."""

import pytest
from flask import request

from classwaves.rest.common import address
from tests.support.apps import AppFactory

DIRECT, CLIENT, PROXY = "127.0.0.1", "198.51.100.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("hops", "forwarded", "counted"),
    [
        (0, CLIENT, DIRECT),
        (1, CLIENT, CLIENT),
        (1, f"6.6.6.6, {CLIENT}", CLIENT),
        (1, f"6.6.6.6,7.7.7.7 ,  {CLIENT}", CLIENT),
        (2, f"{CLIENT}, {PROXY}", CLIENT),
        (2, f"6.6.6.6, {CLIENT}, {PROXY}", CLIENT),
        (2, CLIENT, DIRECT),
        (1, None, DIRECT),
        (1, "", DIRECT),
        (1, f"{CLIENT}:4711", CLIENT),
        (1, f"::ffff:{CLIENT}", CLIENT),
        (1, "[2001:db8:1:2::3]:4711", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2:a:b:c:d", "2001:db8:1:2::/64"),
        (1, f'"6.6.6.6, {CLIENT}', CLIENT),
        (1, f'6.6.6.6", "7.7.7.7, {CLIENT}', CLIENT),
        (2, f'"6.6.6.6, {CLIENT}, {PROXY}', CLIENT),
        (1, "unknown", "unknown"),
        (1, "x" * 5000, "x" * 64),
    ],
)
def test_whose_address_is_counted(make_app: AppFactory, hops: int, forwarded: str | None, counted: str) -> None:
    app = make_app(CLASSWAVES_TRUSTED_PROXIES=hops)
    app.add_url_rule("/where", "where", address)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert app.test_client().get("/where", headers=headers).get_data(as_text=True) == counted


@pytest.mark.parametrize("field", ["Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"])
def test_no_other_field_is_believed(make_app: AppFactory, field: str) -> None:
    app = make_app(CLASSWAVES_TRUSTED_PROXIES=1)
    app.add_url_rule("/where", "where", address)
    headers = {field: f"for={CLIENT}" if field == "Forwarded" else CLIENT}
    assert app.test_client().get("/where", headers=headers).get_data(as_text=True) == DIRECT


def test_a_quote_hides_nothing_of_what_a_proxy_says(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_TRUSTED_PROXIES=1)
    app.add_url_rule("/where", "where", lambda: request.host_url)
    said = {"X-Forwarded-Proto": '"http, https', "X-Forwarded-Host": '"evil.example, class.example'}
    assert app.test_client().get("/where", headers=said).get_data(as_text=True) == "https://class.example/"
