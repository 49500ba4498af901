"""A link for guests, and their page; imported by name where they are used."""

from typing import Any

import pytest
from django.test import Client

from conversations.chat.links import Options, create_link
from conversations.models import ShareLink
from environments.models import Environment
from studio.crypto import decrypt
from tests.conversations.fake_channel import Channel
from tests.factories import make_person

SITE = "https://www.example.org"


@pytest.fixture
def link(environment: Environment, channel: Channel) -> ShareLink:
    options = Options(origins=[SITE])
    return create_link(actor=make_person(), environment=environment, name="friends of Anna", options=options)


@pytest.fixture
def page(link: ShareLink) -> str:
    return page_of(link)


def page_of(link: ShareLink) -> str:
    return f"/s/{decrypt(link.code_encrypted)}"


def say(client: Client, page: str, text: str = "hi", **more: str) -> Any:
    return client.post(f"{page}/say", {"text": text, **more})


def set_options(link: ShareLink, **options: object) -> None:
    ShareLink.objects.filter(pk=link.pk).update(**options)
