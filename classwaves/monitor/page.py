"""The page of the monitor: static files of our own, for which the browser needs nothing from elsewhere.

Imports headers and state. The page is public and has nothing in it; who may see numbers is decided by the namespace.
"""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from ..headers import guard_page, page_policy
from ..state import current_state

blueprint = Blueprint(
    "classwaves_monitor",
    __name__,
    static_folder="../static",
    static_url_path="/monitor/static",
    template_folder="../templates",
)


@blueprint.get("/monitor")
def page() -> str:
    """The page, which is told where the REST API is."""
    return render_template("classwaves-monitor.html", api=current_state().settings.url_prefix)


@blueprint.after_request
def protect(response: Response) -> Response:
    """No script, style or connection but our own; and after an upgrade all files are of one version."""
    response.headers.setdefault("Cache-Control", "no-cache")
    return guard_page(response, page_policy(""))
