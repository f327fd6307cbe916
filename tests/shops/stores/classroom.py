"""The classroom of the stores, where their staff are trained."""

from resources.user import find_user

from classwaves import Account, ClassWaves


def authenticate(username, password):
    user_id, user = find_user(username, password) or (None, None)
    return user and Account(user_id, user["username"], "teacher" if user["is_admin"] else "student")


classwaves = ClassWaves(authenticator=authenticate)
