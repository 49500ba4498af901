"""The documentation within the product, and the links of its pages there."""

import re
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import pytest
from django.test import Client
from docutils.nodes import make_id
from markdown_it.token import Token

from studio.web import documentation, navigation
from tests.factories import make_assistant, make_person

NAMES = sorted(
    path.relative_to(documentation.FOLDER).with_suffix("").as_posix() for path in documentation.FOLDER.rglob("*.md")
)


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.sources: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids |= {str(known["id"])} if "id" in known else set()
        if tag == "a" and "href" in known:
            self.addresses.append(str(known["href"]))
        if tag == "img":
            self.sources.append(str(known["src"]))


def page(name: str) -> documentation.Page:
    found = documentation.page(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_link_within_it_leads_to_a_page_and_a_heading(name: str) -> None:
    for address in Links(page(name).html).addresses:
        where, anchor = urldefrag(urljoin(f"/docs/{name}", address))
        if where.startswith("/docs/") and where != "/api/docs":
            target = documentation.page(where.removeprefix("/docs/"))
            assert target, f"{address} leads nowhere"
            assert not anchor or anchor in Links(target.html).ids, f"{address}: there is no such heading"


@pytest.mark.parametrize("name", NAMES)
def test_no_page_shows_what_is_for_sphinx_or_tests(name: str) -> None:
    html = page(name).html
    assert "<p>&lt;!--" not in html and '.md"' not in html
    assert all(source.startswith("/static/docs/") for source in Links(html).sources)


def test_a_list_of_pages_leaves_out_what_is_not_here() -> None:
    html = page("index").html
    assert "Contributing" not in html and "<a>" not in html and "Benchmarks" in html


@pytest.mark.parametrize("address", ["https://rasa.com/docs/a.md", "mailto:team@example.com", "tel:112"])
def test_an_address_elsewhere_stays_as_it_is(address: str) -> None:
    token = Token("link_open", "a", 1, attrs={"href": address})
    documentation._change_link(token, "index")
    assert token.attrs["href"] == address


@pytest.mark.parametrize("section", sorted(documentation.sections()))
def test_every_section_that_a_page_links_to_is_there_and_built_with_the_same_anchor(section: str) -> None:
    name, _, anchor = section.partition("#")
    assert not anchor or anchor in Links(page(name).html).ids
    assert anchor == make_id(anchor), "Sphinx gives this heading another anchor: choose one without such a word"


def test_every_place_of_the_navigation_has_its_section() -> None:
    default = documentation.help_url("")
    names = [entry.url_name for entry in navigation._entries.values()]
    without = [name for name in names if documentation.help_url(name) == default and not name.startswith("admin:")]
    assert len(names) > 10 and without == []


def test_a_page_links_to_what_helps_there(client: Client, db) -> None:
    make_assistant("cafe")
    client.force_login(make_person("admin"))
    [link] = re.findall(
        r'href="([^"]+)" aria-label="Documentation of this page"', client.get("/a/cafe/inbox/").content.decode()
    )
    assert link == "/docs/corrections#the-inbox"
    assert 'id="the-inbox"' in client.get(link).content.decode()


def test_where_the_built_documentation_is_served_pages_link_there(settings) -> None:
    settings.DOCS_URL = "https://docs.example.com/parley"
    assert documentation.help_url("conversations:inbox") == "https://docs.example.com/parley/corrections.html#the-inbox"


def test_who_cannot_sign_in_reads_it(client: Client, db) -> None:
    [link] = re.findall(r'href="([^"]+)">Documentation<', client.get("/sign-in").content.decode())
    html = client.get(link).content.decode()
    assert f'id="{urldefrag(link).fragment}"' in html and "manage.py bootstrap" in html
    assert "js/shell.js" in html and 'href="/docs/index"' in html and 'href="/sign-in"' in html


@pytest.mark.parametrize("name", ["nothing", "../README", "decisions/../talk", "conf.py", "Talk"])
def test_what_is_no_page_is_not_found(client: Client, db, name: str) -> None:
    client.force_login(make_person())
    assert client.get(f"/docs/{name}").status_code == 404
