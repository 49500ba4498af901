"""The table of this app on the operators' pages."""

from studio.jobs.models import Heartbeat
from studio.operators.site import show

show(Heartbeat, ("pk", "kind", "name", "busy_with", "started_at", "at"), ("=pk", "kind", "name"))
