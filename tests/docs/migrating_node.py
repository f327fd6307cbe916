"""What docs/migrating-node.md takes for given: the key of the other server, in the environment."""

import os
from typing import Any


def given() -> dict[str, Any]:
    """Set it, and return no names."""
    os.environ["OLD_JWT_SECRET"] = "the-key-of-the-other-server-0123456789"
    return {}
