"""``GET /audit``: who did what that not everybody may, for admins."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from ..audit import shown
from ..state import current_state
from .common import also, authenticated, documented, for_admins, json_lines, make_blueprint, principal
from .schemas import AuditQuery, AuditSchema

blueprint: Blueprint = make_blueprint("audit", "The audit stream.")


@blueprint.route("/audit", methods=["GET"])
@documented(blueprint, 403)
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditSchema)
@blueprint.doc(responses={200: also("application/x-ndjson")})
@authenticated
def acts(query: dict[str, Any]) -> Any:
    """Privileged acts, newest first, in pages. `format=jsonl`: all of them as a file, oldest first. For admins."""
    for_admins()
    audit = current_state().hub.audit
    if query["format"] == "jsonl":
        audit.note("audit.exported", principal().user_id)
        return json_lines(map(shown, audit.everything()), "audit.jsonl")
    found = audit.page(query.get("cursor", ""), query["limit"] + 1)
    page = found[: query["limit"]]
    return {"acts": list(map(shown, page)), "nextCursor": page[-1].id if len(found) > len(page) else None}
