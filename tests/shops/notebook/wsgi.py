"""The notebook with its classroom, as it is served."""

import showing  # noqa: F401 - its event
from classroom import classwaves
from notebook import app

classwaves.init_app(app)
