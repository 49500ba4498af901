"""What workers run. The row is the truth: running any of these twice does no harm."""


def train(job_id: int) -> None:
    from models_app.training.run import run_training

    run_training(job_id)
