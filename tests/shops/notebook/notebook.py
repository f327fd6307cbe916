"""A notebook on the web, in one file: register, log in, write notes."""

import os
import sqlite3

from flask import Flask, abort, g, redirect, render_template_string, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.config.update(
    DATABASE=os.environ.get("NOTEBOOK_DATABASE", "notebook.sqlite"),
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-development-0123456789abcdef"),
    JWT_SECRET_KEY=os.environ.get("JWT_SECRET_KEY", "only-for-development-too-0123456789"),
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, body TEXT NOT NULL);
"""
PAGE = """
<!doctype html><title>Notebook</title>
{% if not session.user_id %}
<form action="{{ url_for('login') }}" method="post"><input name="username"><input name="password" type="password">
<button>Log in</button></form>
{% endif %}
<ul>{% for note in notes %}<li>{{ note.body }}</li>{% endfor %}</ul>
"""


def get_db():
    if "db" not in g:
        g.db = sqlite3.connect(app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
    return g.db


@app.teardown_appcontext
def close_db(error=None):
    db = g.pop("db", None)
    if db is not None:
        db.close()


def init_db():
    get_db().executescript(SCHEMA)


def find_user(username, password):
    user = get_db().execute("SELECT * FROM user WHERE username = ?", (username,)).fetchone()
    return user if user and check_password_hash(user["password"], password) else None


@app.route("/")
def index():
    notes = get_db().execute("SELECT body FROM note WHERE author_id = ?", (session.get("user_id"),)).fetchall()
    return render_template_string(PAGE, notes=notes)


@app.post("/register")
def register():
    username, password = request.form["username"].strip(), request.form["password"]
    if not username or not password:
        abort(400)
    db = get_db()
    try:
        db.execute("INSERT INTO user (username, password) VALUES (?, ?)", (username, generate_password_hash(password)))
        db.commit()
    except sqlite3.IntegrityError:
        abort(409)
    return redirect(url_for("index"))


@app.post("/login")
def login():
    user = find_user(request.form["username"], request.form["password"])
    if user is None:
        abort(401)
    session.clear()
    session["user_id"] = user["id"]
    return redirect(url_for("index"))


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("index"))


@app.post("/notes")
def add_note():
    if "user_id" not in session:
        abort(401)
    db = get_db()
    db.execute("INSERT INTO note (author_id, body) VALUES (?, ?)", (session["user_id"], request.form["body"]))
    db.commit()
    return redirect(url_for("index"))


@app.errorhandler(401)
def log_in_first(error):
    return "Log in first.", 401
