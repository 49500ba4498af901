"""`manage.py bootstrap`: what an installation needs before its first page, made once; run at every start."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import transaction
from django.urls import reverse

from environments.services import starter
from environments.services.birth import create_assistant
from models_app.models import Assistant
from models_app.services.assistants import DEFAULT_SLUG
from studio.access.models import Role, User
from studio.access.services.grants import grant
from studio.access.services.last_admin import ADMIN, admins
from studio.access.services.people import create_person, set_active
from studio.access.services.roles import ensure_default_roles
from studio.access.services.sign_in import make_link
from studio.command import BaseCommand


class Command(BaseCommand):
    help = "Make the default roles, the first account and the default assistant; print how to sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON line")

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_default_roles()
        person, password = first_account()
        first_assistant()
        link = f"{settings.PUBLIC_URL}{reverse('access:sign-in-link', args=[make_link(actor=None, person=person)])}"
        facts = {"username": person.username, "password": password, "link": link}
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write("\n".join(f"{name}: {value}" for name, value in facts.items() if value))


@transaction.atomic
def first_assistant() -> None:
    """The assistant `default`, with the starter's data when it is wanted. A starter that was deleted stays away."""
    if Assistant.objects.filter(slug=DEFAULT_SLUG).exists():
        return
    assistant = create_assistant(actor=None, slug=DEFAULT_SLUG, title="Café Lumen" if settings.STARTER else "Default")
    if settings.STARTER:
        starter.bring(assistant)


def first_account() -> tuple[User, str | None]:
    """(an account that may do everything, its password when it was made just now).

    That is `admin`, unless it was taken away while others may do everything. When nobody is left who may, `admin` is
    made, let in, and given its role: what the way back in is for.
    """
    able = admins()
    person = User.objects.filter(username=ADMIN).first()
    if able:
        return (person if person in able else able[0]), None
    password = None
    if person is None:
        password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
        person = create_person(actor=None, username=ADMIN, password=password)
    set_active(actor=None, person=person, is_active=True)
    grant(actor=None, person=person, role=Role.objects.get(name=ADMIN))
    return person, None if settings.ADMIN_PASSWORD else password
