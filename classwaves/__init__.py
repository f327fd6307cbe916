"""ClassWaves: the real-time layer of a classroom, for Flask."""

from .app import create_app as create_app
from .auth.accounts import Authenticator as Authenticator
from .errors import ClassWavesError as ClassWavesError
from .events import Context as Context
from .events import EventSchema as EventSchema
from .events import Feature as Feature
from .extension import ClassWaves as ClassWaves
from .features import FEATURES as FEATURES
from .models import Account as Account
from .settings import Settings as Settings
from .settings import SettingsError as SettingsError
