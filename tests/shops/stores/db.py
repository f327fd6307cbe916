"""What is in a database elsewhere."""

from werkzeug.security import generate_password_hash

HASH = "pbkdf2:sha256:1000"  # fast, for there is nothing to guard here
USERS = {
    "1": {"username": "root", "password": generate_password_hash("right horse", HASH), "is_admin": True},
    "2": {"username": "ann", "password": generate_password_hash("right horse", HASH), "is_admin": False},
}
ITEMS = {}
