from flask_login import UserMixin
from werkzeug.security import check_password_hash, generate_password_hash

from .extensions import db, login_manager


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(120), unique=True, nullable=False)
    name = db.Column(db.String(80), nullable=False)
    is_teacher = db.Column(db.Boolean, nullable=False, default=False)
    password_hash = db.Column(db.String(255), nullable=False)
    courses = db.relationship("Course", back_populates="teacher")

    def set_password(self, password):
        self.password_hash = generate_password_hash(password)

    def check_password(self, password):
        return check_password_hash(self.password_hash, password)

    @classmethod
    def with_credentials(cls, email, password):
        user = db.session.scalar(db.select(cls).filter_by(email=email))
        return user if user and user.check_password(password) else None


class Course(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(120), nullable=False)
    teacher_id = db.Column(db.ForeignKey("user.id"), nullable=False)
    teacher = db.relationship("User", back_populates="courses")
    marks = db.relationship("Mark", back_populates="course")


class Mark(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.ForeignKey("user.id"), nullable=False)
    course_id = db.Column(db.ForeignKey("course.id"), nullable=False)
    course = db.relationship("Course", back_populates="marks")


@login_manager.user_loader
def load_user(user_id):
    return db.session.get(User, int(user_id))
