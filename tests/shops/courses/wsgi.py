"""The courses with their classroom, as they are served."""

import marks  # noqa: F401 - its event
from classroom import classwaves
from courses import create_app


def make_app(config=None):
    return create_app(config, extensions=[classwaves])
