from tests.rasa_fixtures import rasa_runtime

__all__ = ["rasa_runtime"]
