"""What workers run. The row is the truth: running any of these twice does no harm."""


def handle_letters(run_id: int) -> None:
    from conversations.services.dead_letter_runs import carry_out

    carry_out(run_id)
