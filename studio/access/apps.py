from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "studio.access"
    label = "access"
