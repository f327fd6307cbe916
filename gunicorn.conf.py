"""gunicorn's settings for ClassWaves, which are those of the package; see the README.

This file is where gunicorn looks by itself. What is assigned below is different here.
"""

from classwaves.gunicorn_conf import *  # noqa: F403
