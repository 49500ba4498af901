"""`make screenshots`: pictures of a running installation that `make demo` has filled, for README.md and docs/.

They are text, so that git can keep them: pages printed as they look on a screen, as SVG.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

CHECKOUT = Path(__file__).resolve().parent.parent
PICTURES = CHECKOUT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 880
ASSISTANT = "/a/default"

# Name of the picture and address of the page; of a list that ends in "#first", the page of its first row.
PAGES = (
    ("parley", f"{ASSISTANT}/environments/production"),
    ("data", f"{ASSISTANT}/data/"),
    ("conversation", f"{ASSISTANT}/conversations/?q=table&at_most=6&sort=longest#first"),
    ("inbox", f"{ASSISTANT}/inbox/"),
)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium on this machine. On Debian: apt install chromium")
    link = sign_in_link()
    if shutil.which("pdftocairo") is None:
        sys.exit("There is no pdftocairo on this machine. On Debian: apt install poppler-utils")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with signed_in(browser, link) as page:
            for name, address in PAGES:
                picture(page, name, address)
        browser.close()


def sign_in_link() -> str:
    """From the installation whose addresses the last `make run` has written down."""
    command = [sys.executable, str(CHECKOUT / "manage.py"), "bootstrap", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{ended.stderr}\nStart Parley with make run and fill it with make demo first.")
    return str(json.loads(ended.stdout.splitlines()[-1])["link"])


@contextmanager
def signed_in(browser: Browser, link: str) -> Iterator[Page]:
    base = re.match(r"https?://[^/]+", link)
    assert base is not None
    size = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(base_url=base[0], viewport=size, color_scheme="light")  # type: ignore[arg-type]
    page = context.new_page()
    try:
        page.goto(link)
    except Error as error:
        sys.exit(f"Parley does not answer at {base[0]}: start it with make run. ({error.message.splitlines()[0]})")
    page.locator("main form button").click()
    page.wait_for_load_state()
    yield page
    context.close()


def picture(page: Page, name: str, address: str) -> None:
    place, _, of_first = address.partition("#")
    opened(page, place)
    if of_first:
        found = page.locator("main a.row-link").first.get_attribute("href") or place
        opened(page, found.partition("#")[0])  # a place within the page would be scrolled to
    drawing(page, PICTURES / f"{name}.svg")
    print(f"docs/pictures/{name}.svg: {page.title()}")  # noqa: T201 - it is a command


def opened(page: Page, address: str) -> None:
    answer = page.goto(address)
    if answer is None or not answer.ok:
        sys.exit(f"{address} is not as it should be: is this an installation that make demo has filled?")
    page.wait_for_load_state("networkidle")


def drawing(page: Page, target: Path) -> None:
    page.emulate_media(media="screen")
    page.locator(".skip").evaluate("link => link.remove()")  # a page of paper has no place outside of it
    height = page.evaluate("document.documentElement.scrollHeight") + 1  # or what is left goes to a second sheet
    with tempfile.NamedTemporaryFile(suffix=".pdf") as pdf:
        page.pdf(path=pdf.name, width=f"{WIDTH}px", height=f"{height}px", print_background=True, page_ranges="1")
        subprocess.run(["pdftocairo", "-svg", pdf.name, target], check=True)
    target.write_text(smaller(target.read_text()))


def smaller(svg: str) -> str:
    """The same picture in half the bytes: hundredths of a point, colours in hex, nothing that is the default anyway."""
    svg = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), svg)
    svg = re.sub(r"rgb\(([\d.]+)%,([\d.]+)%,([\d.]+)%\)", _hex, svg)
    svg = re.sub(r"(?:stroke:none|(?:fill|stroke)-opacity:1|fill-rule:nonzero|stroke-miterlimit:4);", "", svg)
    svg = re.sub(r' style=""| clip-rule="nonzero"|(?<=[MLCZ])\s|\s(?=[MLCZ"])|(?<=>)\s+(?=<)| (?=-\d)', "", svg)
    svg = re.sub(r'(?<=Z)M[\d.\- ]+(?=")|(?<![\d.])0(?=\.\d)', "", svg)
    return svg.replace("xlink:href", "href").replace("glyph", "g") + "\n"


def _hex(colour: re.Match[str]) -> str:
    return "#" + "".join(f"{round(float(part) * 2.55):02x}" for part in colour.groups())


main()
