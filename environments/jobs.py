"""What workers run. The row is the truth: running it twice does no harm."""


def run_slot(slot_id: int) -> None:
    from environments.running.run import run_slot as run
    from studio.jobs.heartbeat import parent_name

    run(slot_id, worker=parent_name())
