from flask import Blueprint, abort, request
from flask_login import current_user, login_required

from .extensions import db
from .models import Course

catalogue = Blueprint("catalogue", __name__)


@catalogue.get("/")
@login_required
def index():
    courses = db.session.scalars(db.select(Course).order_by(Course.title))
    return {"courses": [{"id": course.id, "title": course.title, "teacher": course.teacher.name} for course in courses]}


@catalogue.post("/courses")
@login_required
def create():
    if not current_user.is_teacher:
        abort(403)
    course = Course(title=request.form["title"], teacher=current_user)
    db.session.add(course)
    db.session.commit()
    return {"id": course.id}, 201


@catalogue.app_errorhandler(403)
def forbidden(error):
    return "Not yours.", 403
