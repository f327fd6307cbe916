"""What docs/examples.md is compared with: the webhook that it verifies."""

import base64
import hashlib
import hmac
import time
from typing import Any

SECRET = f"whsec_{base64.b64encode(b'0123456789abcdefghijklmn').decode()}"


def signed(body: bytes, sent: float) -> dict[str, str]:
    """Return the headers of Standard Webhooks."""
    moment = str(int(sent))
    code = hmac.digest(b"0123456789abcdefghijklmn", b"id." + moment.encode() + b"." + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(code).decode()}"
    return {"webhook-id": "id", "webhook-timestamp": moment, "webhook-signature": signature}


def check_what_is_signed(page: dict[str, Any]) -> None:
    is_ours, now = page["is_ours"], time.time()
    assert is_ours(SECRET, signed(b"{}", now), b"{}")
    assert not is_ours(SECRET, signed(b"{}", now), b"{ }")
    assert not is_ours(SECRET, signed(b"{}", now - 1000), b"{}")
    assert not is_ours(SECRET, {**signed(b"{}", now), "webhook-id": "other"}, b"{}")
