"""Django's client of tests, signed in."""

from django.test import Client

from studio.access.models import User


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client
