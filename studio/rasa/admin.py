"""The table of this app on the operators' pages."""

from studio.operators.site import show
from studio.rasa.models import RasaRuntime

show(RasaRuntime, ("pk", "version", "state", "step", "message", "changed_at"))
