"""An event of the courses' own: a student marks a course, which is kept in the database."""

from classroom import classwaves
from courses.extensions import db
from courses.models import Course, Mark
from marshmallow import fields

from classwaves import EventSchema


class MarkSchema(EventSchema):
    courseId = fields.Integer(required=True)


@classwaves.event("markCourse", schema=MarkSchema, allow="participant")
def mark_course(ctx, data):
    course = db.session.get(Course, data["courseId"])
    if course is None:
        raise classwaves.Error("NOT_FOUND", "There is no such course")
    answer = ctx.publish("courseMarked", {"title": course.title, "userId": ctx.user_id})
    db.session.add(Mark(user_id=int(ctx.user_id), course=course))
    db.session.commit()
    return answer
