"""Accounts of your own: users in your database by Flask-SQLAlchemy, with Werkzeug's password hashes.

    pip install classwaves Flask-SQLAlchemy && export CLASSWAVES_DEMO=1 && flask --app own_accounts add ada teacher
    gunicorn -c python:classwaves.gunicorn_conf own_accounts:app

``add`` asks for the password; ``flask --app own_accounts remove ada`` takes the account away, and with REDIS_URL ends
its logins at once: in memory a command does not reach the server. DATABASE_URL is the database, or a SQLite file.

Next: oidc_login.py where somebody else keeps the passwords, docs/tokens.md for logins, docs/extending.md.
"""

import os

import click
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.security import check_password_hash, generate_password_hash

from classwaves import Account, ClassWaves


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
NOBODY = generate_password_hash("nobody")


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password_hash: Mapped[str]


def find(name: str) -> User | None:
    user: User | None = db.session.scalar(db.select(User).filter_by(name=name))
    return user


def authenticate(username: str, password: str) -> Account | None:
    """A hash is checked also where there is no such user: otherwise the time would tell who has an account."""
    user = find(username)
    if check_password_hash(user.password_hash if user else NOBODY, password) and user:
        return Account(str(user.id), user.name.title(), user.role)
    return None


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///accounts.sqlite")
db.init_app(app)
classwaves = ClassWaves(app, authenticator=authenticate)


@app.cli.command()
@click.argument("name")
@click.argument("role", type=click.Choice(["student", "teacher", "admin"]))
@click.password_option(confirmation_prompt=False)
def add(name: str, role: str, password: str) -> None:
    """Add an account."""
    db.create_all()
    if find(name):
        raise click.ClickException("There is such an account")
    db.session.add(User(name=name, role=role, password_hash=generate_password_hash(password)))
    db.session.commit()


@app.cli.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove an account, and end its logins."""
    if not (user := find(name)):
        raise click.ClickException("There is no such account")
    db.session.delete(user)
    db.session.commit()
    classwaves.end_logins(str(user.id))  # its sockets are disconnected
