"""Which pages of other origins may use the REST API: preflight and simple requests (the Fetch standard)."""

import pytest

from tests.support.apps import API, AppFactory, headers_for

OWN, LISTED, FOREIGN = "http://localhost", "https://shop.example", "https://evil.example"


def granted(make_app: AppFactory, origin: str | None, demo: bool = False) -> list[str | None]:
    """What a preflight, a simple request, an error, a miss and the document say about an origin."""
    app = make_app(CLASSWAVES_ORIGINS=LISTED, CLASSWAVES_DEMO=demo)
    client = app.test_client()
    headers = {} if origin is None else {"Origin": origin}
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answers = [
        client.options(f"{API}/sessions", headers={**headers, **preflight}),
        client.get(f"{API}/auth/me", headers={**headers, **headers_for(app, "Ada")}),
        client.get(f"{API}/auth/me", headers=headers),
        client.get(f"{API}/nothing", headers=headers),
        client.get(f"{API}/openapi.json", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 404, 200]
    assert all("Origin" in answer.headers.get("Vary", "") for answer in answers)
    assert not any("Access-Control-Allow-Credentials" in answer.headers for answer in answers)
    return [answer.headers.get("Access-Control-Allow-Origin") for answer in answers]


@pytest.mark.parametrize("origin", [OWN, LISTED])
def test_own_and_listed_origins_are_welcome(make_app: AppFactory, origin: str) -> None:
    assert granted(make_app, origin) == [origin] * 5


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "https://localhost",
        "http://localhost:8000",
        f"{LISTED}.evil.example",
        "http://shop.example",
        None,
    ],
)
def test_other_origins_are_not(make_app: AppFactory, origin: str | None) -> None:
    assert granted(make_app, origin) == [None] * 5


def test_a_page_opened_from_disk_is_welcome_in_demo_mode_only(make_app: AppFactory) -> None:
    assert granted(make_app, "null", demo=True) == ["null"] * 5
    assert granted(make_app, FOREIGN, demo=True) == [None] * 5


def test_a_preflight_allows_what_the_api_uses(make_app: AppFactory) -> None:
    answer = make_app().test_client().options(f"{API}/sessions/AAAAAA", headers={"Origin": OWN})
    allowed = {word.strip().lower() for word in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {"authorization", "content-type"}
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"].split(", ")


def test_one_rule_for_rest_and_sockets(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_ORIGINS=LISTED).test_client()
    handshake = "/socket.io/?EIO=4&transport=polling"
    statuses = [client.get(handshake, headers={"Origin": origin}).status_code for origin in (OWN, LISTED, FOREIGN)]
    assert statuses == [200, 200, 400]
