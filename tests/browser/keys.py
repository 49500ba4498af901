"""Somebody without a mouse: goes by keys alone, and must see at every step where they are."""

from playwright.sync_api import Locator, Page

FARTHEST = 120  # presses of Tab until one may say that something is out of reach

# What is wrong with the focus, "" when it can be seen. The ring of a row's link is drawn around the row.
SEEN = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return "The focus is nowhere.";
  const name = `${at.localName} “${(at.ariaLabel ?? (at.textContent.trim() || at.name)).slice(0, 40)}”`;
  const ringed = [getComputedStyle(at), getComputedStyle(at, "::after")].some((one) => one.outlineStyle !== "none" && parseFloat(one.outlineWidth) >= 2);
  if (!ringed) return `${name} has the focus, and no ring around it.`;
  const { left, right, top, bottom } = at.getBoundingClientRect();
  const [x, y] = [Math.max(left, 0) + Math.min(right, innerWidth), Math.max(top, 0) + Math.min(bottom, innerHeight)].map((sum) => sum / 2);
  const hit = document.elementFromPoint(x, y);
  return hit && (at.contains(hit) || hit.contains(at) && hit.closest("label, summary, tr, td") !== null) ? "" : `${name} has the focus, and lies below ${hit?.outerHTML.slice(0, 80)}.`;
}"""


class Keys:
    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        """One after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, section: str, letter: str) -> None:
        """To a section by its shortcut."""
        self.page.keyboard.type(f"g{letter}")
        self.page.wait_for_url(f"**/{section}/**")
        self.page.wait_for_load_state("networkidle")

    def to(self, target: Locator, key: str = "Tab") -> None:
        """On to a control, which may not be out of reach; on the way the focus is never lost or hidden."""
        target.wait_for()
        for _ in range(FARTHEST):
            if target.evaluate("one => one === document.activeElement"):
                return self.see()
            self.press(key)
            self.see()
        raise AssertionError(f"{FARTHEST} times {key} do not lead to {target}.")

    def see(self) -> None:
        trouble = self.page.evaluate(SEEN)
        assert not trouble, f"{trouble} ({self.page.url})"
