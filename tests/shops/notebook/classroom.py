"""The notebook's classroom: who has an account logs in with it."""

from notebook import find_user

from classwaves import Account, ClassWaves


def authenticate(username, password):
    user = find_user(username, password)
    return Account(str(user["id"]), user["username"], "teacher") if user else None


classwaves = ClassWaves(authenticator=authenticate)
