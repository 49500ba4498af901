"""Somebody, the first account unless another is named, signed in, in a browser without a screen."""

import time
from dataclasses import dataclass

import requests

from bench.installation import ADMIN_PASSWORD, Installation


@dataclass(frozen=True, slots=True)
class Answer:
    """`clicked` and `answered` are times of the wall clock, which the database has too."""

    clicked: float
    answered: float
    response: requests.Response


class Person:
    def __init__(self, house: Installation, username: str = "admin", password: str = ADMIN_PASSWORD) -> None:
        self.house = house
        self.session = requests.Session()
        self.session.get(f"{house.address}/sign-in", timeout=30).raise_for_status()
        self.send("/sign-in", {"username": username, "password": password})

    def send(self, path: str, fields: dict[str, str]) -> Answer:
        """What the form of a page sends; over a kept connection, as a browser has it."""
        secret = self.session.cookies[f"parley_csrf_{self.house.port}"]
        clicked = time.time()
        response = self.session.post(
            f"{self.house.address}{path}",
            fields,
            headers={"X-CSRFToken": secret, "Origin": self.house.address},
            timeout=60,
            allow_redirects=False,
        )
        answered = time.time()
        if response.status_code not in (200, 302, 303):
            raise RuntimeError(f"{path} answered {response.status_code} to its form: {response.text[:500]}")
        return Answer(clicked, answered, response)
