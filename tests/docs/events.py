"""What docs/events.md takes for given: the id of a task."""

from typing import Any


def given() -> dict[str, Any]:
    """Return the names that the page's code uses and does not make."""
    return {"task_id": "task-1"}
