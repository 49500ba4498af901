from tests.rasa_fixtures import older_runtime, rasa_processes, rasa_runtime, trained_model, worker_id_or_main

__all__ = ["older_runtime", "rasa_processes", "rasa_runtime", "trained_model", "worker_id_or_main"]
