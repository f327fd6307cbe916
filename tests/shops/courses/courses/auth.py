from flask import Blueprint, abort, redirect, request, url_for
from flask_login import login_required, login_user, logout_user

from .models import User

auth = Blueprint("auth", __name__)


@auth.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "GET":
        return '<form method="post"><input name="email"><input name="password" type="password"><button>Log in</button>'
    user = User.with_credentials(request.form["email"], request.form["password"])
    if user is None:
        abort(403)
    login_user(user)
    return redirect(url_for("catalogue.index"))


@auth.get("/logout")
@login_required
def logout():
    logout_user()
    return redirect(url_for("auth.login"))
