"""The classroom of the courses: their users come with their e-mail addresses."""

from courses.models import User

from classwaves import Account, ClassWaves


def authenticate(email, password):
    user = User.with_credentials(email, password)
    return user and Account(str(user.id), user.name, "teacher" if user.is_teacher else "student")


classwaves = ClassWaves(authenticator=authenticate)
