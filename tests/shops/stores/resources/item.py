from db import ITEMS
from flask.views import MethodView
from flask_jwt_extended import get_jwt, jwt_required
from flask_smorest import Blueprint, abort
from schemas import ItemSchema

blp = Blueprint("items", "items", description="Operations on items")


@blp.route("/item")
class ItemList(MethodView):
    @jwt_required()
    @blp.response(200, ItemSchema(many=True))
    def get(self):
        return ITEMS.values()

    @jwt_required()
    @blp.arguments(ItemSchema)
    @blp.response(201, ItemSchema)
    def post(self, item):
        if not get_jwt().get("is_admin"):
            abort(403, message="Admin privilege required.")
        item["id"] = len(ITEMS) + 1
        ITEMS[item["id"]] = item
        return item
