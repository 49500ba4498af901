"""Django's client of tests, signed in, and what makes a browser so."""

from django.test import Client

from studio.access.models import User


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def cookies_of(client: Client, url: str) -> list[dict[str, str]]:
    """For a browser that asks the server at `url`."""
    return [{"name": name, "value": cookie.value, "url": url} for name, cookie in client.cookies.items()]
