"""Waiting for what no locator can expect: a request that is held back, what a tab keeps."""

from collections.abc import Callable

from playwright.sync_api import Page


def until(page: Page, condition: Callable[[], object], what: str, *, seconds: int = 15) -> None:
    """The page goes on meanwhile. (`wait_for_function` needs eval, which some pages' policy forbids.)"""
    for _ in range(10 * seconds):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"waited {seconds} s for {what}")
