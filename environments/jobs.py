"""What workers run, and periodic work of environments."""

from environments.services import database, environments, polls, replicas, slots, starter, transitions
from studio.jobs import schedule


def run_slot(slot_id: int) -> None:
    from environments.running.run import run_slot as run
    from studio.jobs.heartbeat import parent_name

    run(slot_id, worker=parent_name())


def register() -> None:
    schedule.every(3, polls.flush, name="note polls")
    schedule.every(3, transitions.advance_open, name="advance promotions")
    schedule.every(600, replicas.forget_silent, name="forget silent replicas")
    schedule.every(600, environments.forget_unused_aliases, name="forget unused former names")
    schedule.every(60, database.drop_removed, name="drop database roles of removed environments")
    schedule.every(1, starter.advance, name="bring the starter into production")
    schedule.every(1, slots.make_room, name="make room for slots in line")
    schedule.every(1, slots.wake_workers, name="wake workers for forgotten slots")
    schedule.every(5, slots.reap, name="reap silent slots")
    schedule.every(60, slots.tidy, name="tidy slots")
