"""The application that commands of the docs call ``shop``, where their page does not write one itself."""

from flask import Flask

from classwaves import ClassWaves

classwaves = ClassWaves()


def create_app() -> Flask:
    """Make it; its settings come from the environment."""
    app = Flask(__name__)
    classwaves.init_app(app)
    return app


app = create_app()
