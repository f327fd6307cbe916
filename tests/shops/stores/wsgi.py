"""The stores with their classroom, as they are served."""

import pricing  # noqa: F401 - its event
from app import create_app
from classroom import classwaves


def make_app(config=None):
    app = create_app(config)
    classwaves.init_app(app)
    return app
