"""`python -m bench pages`: every page that the first account gets to by links, with the data of `make demo`.

One address stands for all of its kind (its route). Dialogs and the fragments that pages load are pages too.
"""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

from bench.ground import CHECKOUT
from bench.installation import Installation, installation
from bench.person import Person
from bench.rows import Row

AIM = 100  # ms, on the server
ROUNDS = 40  # the 95th of a hundred is then not the slowest of all
LISTED = 10  # the slowest, each in a row of its own
MOST_OPENED = 3000  # addresses that are looked through for links
LINK = re.compile(r'\b(?:href|hx-get)="([^"#]*)')
# Not pages: what signs out or leads out, files to take away, and what the browser itself fetches.
LEFT_OUT = ("/sign-", "/static/", "/api/", "/oidc/", "/auth/")


def run() -> list[Row]:
    with installation(PARLEY_STARTER="1") as house:
        _demo(house)
        person = Person(house)
        return _rows(_times(person, _pages(person)))


def _demo(house: Installation) -> None:
    command = [sys.executable, "manage.py", "demo"]
    if wanted := os.environ.get("BENCH_CONVERSATIONS"):
        command += ["--conversations", wanted]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PARLEY_DATA": str(house.data)}, check=True)


def _pages(person: Person) -> list[str]:
    """An address of each route that answers with a page, found by following links from the home page."""
    from django.urls import resolve
    from django.urls.exceptions import Resolver404

    waiting, known, found = ["/a/default/"], {"/a/default/"}, dict[str, str]()
    while waiting and len(known) < MOST_OPENED:
        path = waiting.pop(0)
        try:
            route = resolve(urlsplit(path).path).route
        except Resolver404:
            continue
        if route in found:
            continue
        response = person.session.get(person.house.address + path, timeout=60, allow_redirects=False)
        if response.status_code != 200 or "text/html" not in response.headers["Content-Type"]:
            continue
        found[route] = path
        new = [link for link in _links(path, response.text) if link not in known]
        known.update(new)
        waiting += new
    return list(found.values())


def _links(page: str, html: str) -> Iterator[str]:
    for link in dict.fromkeys(LINK.findall(html)):
        address = urlsplit(urljoin(page, unescape(link)))
        if not address.netloc and not address.path.startswith(LEFT_OUT):
            yield address.path + (f"?{address.query}" if address.query else "")


def _times(person: Person, pages: list[str]) -> dict[str, list[float]]:
    """In milliseconds, as the server itself answers: over a kept connection on the same machine, once warm.

    In rounds over all pages: what the machine does besides in a moment slows several of them once, and not one often.
    """
    times: dict[str, list[float]] = {page: [] for page in pages}
    for measured in (False, *(True for _ in range(ROUNDS))):
        for page in pages:
            began = time.perf_counter()
            person.session.get(person.house.address + page, timeout=60).raise_for_status()
            if measured:
                times[page].append(1000 * (time.perf_counter() - began))
    return times


def _rows(times: dict[str, list[float]]) -> list[Row]:
    worst = {page: _p95(found) for page, found in times.items()}
    slowest = sorted(worst, key=lambda page: worst[page], reverse=True)
    within = sum(one <= AIM for one in worst.values())
    middle = f"half of them within {statistics.median(map(statistics.median, times.values())):.0f} ms"
    whole = Row("pages within the aim at p95", f"{within} of {len(worst)}", "", middle, "all", within == len(worst))
    return [whole, *(_row(page, times[page], worst[page]) for page in slowest[:LISTED])]


def _row(page: str, times: list[float], worst: float) -> Row:
    found = f"{statistics.median(times):.0f} ms"
    return Row(f"page {page}", found, "", f"p95 {worst:.0f} ms", f"{AIM} ms", worst <= AIM)


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]
