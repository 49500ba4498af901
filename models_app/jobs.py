"""What workers run. The row is the truth: running any of these twice does no harm."""


def apply_model_retention(rule_id: int) -> None:
    from models_app.services.model_retention import apply_rule

    apply_rule(rule_id)


def train(job_id: int) -> None:
    from models_app.training.run import run_training
    from studio.jobs.heartbeat import parent_name
    from studio.jobs.stopping import stop_on_signal

    run_training(job_id, worker=parent_name(), is_over=stop_on_signal().is_set)
