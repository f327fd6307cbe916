from db import USERS
from flask.views import MethodView
from flask_jwt_extended import create_access_token, create_refresh_token, get_jwt, get_jwt_identity, jwt_required
from flask_smorest import Blueprint, abort
from schemas import TokenSchema, UserSchema
from werkzeug.security import check_password_hash

blp = Blueprint("users", "users", description="Operations on users")
REVOKED = set()


def find_user(username, password):
    for user_id, user in USERS.items():
        if user["username"] == username and check_password_hash(user["password"], password):
            return user_id, user
    return None


@blp.route("/login")
class Login(MethodView):
    @blp.arguments(UserSchema)
    @blp.response(200, TokenSchema)
    def post(self, credentials):
        found = find_user(**credentials)
        if found is None:
            abort(401, message="Invalid credentials.")
        return {"access_token": create_access_token(found[0]), "refresh_token": create_refresh_token(found[0])}


@blp.route("/refresh")
class Refresh(MethodView):
    @jwt_required(refresh=True)
    @blp.response(200, TokenSchema)
    def post(self):
        return {"access_token": create_access_token(get_jwt_identity())}


@blp.route("/logout")
class Logout(MethodView):
    @jwt_required()
    def post(self):
        REVOKED.add(get_jwt()["jti"])
        return {"message": "Successfully logged out"}
