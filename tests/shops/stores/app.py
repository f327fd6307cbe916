"""Stores and their items: a REST API with flask-smorest and flask-jwt-extended."""

from db import USERS
from flask import Flask, jsonify
from flask_jwt_extended import JWTManager
from flask_smorest import Api
from resources.item import blp as item_blueprint
from resources.user import REVOKED
from resources.user import blp as user_blueprint


def create_app(config=None):
    app = Flask(__name__)
    app.config.update(
        API_TITLE="Stores REST API",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        JWT_SECRET_KEY="only-for-development-0123456789abcdef",
        SECRET_KEY="only-for-development-too-0123456789",
    )
    app.config.update(config or {})
    api = Api(app)
    jwt = JWTManager(app)

    @jwt.additional_claims_loader
    def add_claims(identity):
        return {"is_admin": USERS[identity]["is_admin"]} if identity in USERS else {}

    @jwt.token_in_blocklist_loader
    def is_revoked(header, payload):
        return payload["jti"] in REVOKED

    @jwt.expired_token_loader
    def expired(header, payload):
        return jsonify(message="The token has expired.", error="token_expired"), 401

    @jwt.invalid_token_loader
    def invalid(error):
        return jsonify(message="Signature verification failed.", error="invalid_token"), 401

    @jwt.unauthorized_loader
    def missing(error):
        return jsonify(message="Request has no access token.", error="authorization_required"), 401

    api.register_blueprint(user_blueprint)
    api.register_blueprint(item_blueprint)
    return app
