"""Signing in and out, and whose token it is."""

import os
from typing import Annotated, Any

import typer

from parley_cli import config
from parley_cli.command import Session, command, only_one
from parley_cli.failures import Code, Failure
from parley_cli.output import day


def register(app: typer.Typer) -> None:
    for function in (login, logout, whoami):
        command(app)(function)


def login(
    session: Session,
    url: Annotated[
        str | None, typer.Option("--url", help="Where Parley is, such as https://parley.example.com.")
    ] = None,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the API token from standard input.")] = False,
    username: Annotated[str | None, typer.Option("--username", "-u", help="Sign in with a password.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from there.")] = False,
    with_token: Annotated[bool, typer.Option("--token", help="Ask for an API token, not for a browser.")] = False,
) -> None:
    """Sign in, and remember it as a profile: by a browser where the team has single sign-on, else by API token."""
    only_one(token=with_token, token_stdin=token_stdin, username=username)
    if password_stdin and username is None:
        raise Failure("--password-stdin is the password of --username.", Code.USAGE)
    from parley_cli import sign_in
    from parley_cli.client import Client

    place = _place(session, url)
    client = Client(place)
    client.get("version")  # before anybody types a secret
    refresh = ""
    offer = None if token_stdin or username is not None or with_token else sign_in.single_sign_on(client)
    if offer is not None:
        token, refresh = sign_in.by_device(client, offer, session.out.note)
    else:
        token = _token(session, client, token_stdin=token_stdin, username=username, password_stdin=password_stdin)
    person = Client(place, token).get("user")
    name = session.profile or config.DEFAULT_PROFILE
    path = config.keep(config.Profile(name, place, token, refresh))
    facts = {"profile": name, "url": place, "username": person["username"], "file": str(path)}
    session.out.result(facts, f"Signed in at {place} as {person['username']} (profile {name}).")


def _place(session: Session, url: str | None) -> str:
    """Where a secret is about to be sent. A project's file, maybe somebody else's, has no say in it unless asked."""
    known = config.profiles().get(session.profile or config.DEFAULT_PROFILE)
    found = url or os.environ.get("PARLEY_URL") or (known.url if known else "")
    if found:
        return config.base_url(found)
    named = config.project_settings(config.project_folder()).get("url")
    if named:
        place = config.base_url(named)
        if session.out.confirm(f"Sign in at {place}, which {config.PROJECT_FILE} names?", otherwise="Give --url."):
            return place
        raise Failure("You are not signed in.", Code.USAGE)
    return config.base_url(session.out.ask("Address of Parley: ", otherwise="Give --url."))


def _token(session: Session, client: Any, *, token_stdin: bool, username: str | None, password_stdin: bool) -> str:
    secret = session.out.secret
    if username is not None:
        password = secret("Password: ", otherwise="Give --password-stdin.", from_stdin=password_stdin)
        return _by_password(client, username, password)
    if not token_stdin:
        session.out.note(f"Make an API token at {client.url}/settings/tokens/ and paste it here.")
    otherwise = "Give --token-stdin, or set PARLEY_URL and PARLEY_TOKEN instead."
    return secret("API token: ", otherwise=otherwise, from_stdin=token_stdin)


def _by_password(client: Any, username: str, password: str) -> str:
    try:
        return str(
            client.send("POST", "/api/auth", json={"username": username, "password": password}).data["access_token"]
        )
    except Failure as failure:
        if failure.status == 401:
            raise Failure("The user name or the password is wrong.", Code.NOT_SIGNED_IN, status=401) from None
        raise


def logout(session: Session) -> None:
    """Forget a profile. An API token lives on: revoke it on its page."""
    name = session.profile or config.DEFAULT_PROFILE
    if name not in config.profiles():
        raise Failure(f"There is no profile {name}.", Code.NOT_FOUND)
    config.forget(name)
    session.out.result({"profile": name, "forgotten": True}, f"The profile {name} is forgotten on this machine.")


def whoami(session: Session) -> None:
    """Who you are for Parley, and where."""
    person = session.client.get("user")
    token = person["token"]
    facts = {**person, "url": session.target.url, "profile": session.target.profile, "project": session.project}
    lines = [
        f"{person['username']} at {session.target.url}",
        f"Roles: {', '.join(person['roles']) or 'none'}",
        f"Assistant: {session.project}",
    ]
    if token:
        ends = f", until {day(token['expires_at'])}" if token["expires_at"] else ""
        lines.append(f"API token: {token['name']}{ends}")
    session.out.result(facts, "\n".join(lines))
