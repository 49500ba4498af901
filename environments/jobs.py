"""Periodic work of environments."""

from environments.services import database, environments, polls, replicas, starter, transitions
from studio.jobs import schedule


def register() -> None:
    schedule.every(3, polls.flush, name="note polls")
    schedule.every(3, transitions.advance_open, name="advance promotions")
    schedule.every(600, replicas.forget_silent, name="forget silent replicas")
    schedule.every(600, environments.forget_unused_aliases, name="forget unused former names")
    schedule.every(60, database.drop_removed, name="drop database roles of removed environments")
    schedule.every(1, starter.advance, name="bring the starter into production")
