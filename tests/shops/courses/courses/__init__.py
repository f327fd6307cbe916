"""Courses: a Flask application with a factory, blueprints, Flask-SQLAlchemy and Flask-Login."""

from flask import Flask

from .extensions import db, login_manager


def create_app(config=None, *, extensions=()):
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="only-for-development-0123456789abcdef",
        JWT_SECRET_KEY="only-for-development-too-0123456789",
        SQLALCHEMY_DATABASE_URI="sqlite:///courses.sqlite",
    )
    app.config.from_mapping(config or {})
    db.init_app(app)
    login_manager.init_app(app)

    from .auth import auth
    from .catalogue import catalogue

    app.register_blueprint(auth, url_prefix="/auth")
    app.register_blueprint(catalogue)
    for extension in extensions:
        extension.init_app(app)
    with app.app_context():
        db.create_all()
    return app
