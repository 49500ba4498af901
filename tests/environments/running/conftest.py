from tests.rasa_fixtures import rasa_processes, rasa_runtime, trained_model, worker_id_or_main

__all__ = ["rasa_processes", "rasa_runtime", "trained_model", "worker_id_or_main"]
