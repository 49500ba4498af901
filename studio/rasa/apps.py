from django.apps import AppConfig


class RasaConfig(AppConfig):
    name = "studio.rasa"
    label = "rasa"
