from datetime import UTC, datetime

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory


def render(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def test_a_status_is_shape_word_and_colour() -> None:
    html = render('{% status "failed" text %}', text="Did <not> load")
    assert "status-failed" in html
    assert "<svg" in html
    assert "Did &lt;not&gt; load" in html


def test_an_unknown_kind_of_status_is_an_error() -> None:
    with pytest.raises(KeyError):
        render('{% status "green" "Fine" %}')


def test_a_time_carries_its_absolute_form_for_hovering() -> None:
    html = render("{% ago moment %}", moment=datetime(2026, 11, 22, 20, 46, 19, tzinfo=UTC))
    assert 'datetime="2026-11-22T20:46:19+00:00"' in html
    assert 'title="22 Nov 2026, 20:46:19 UTC"' in html


def test_a_time_that_never_came_is_a_word() -> None:
    assert render("{% ago None %} {% ago None 'not yet' %}") == "never not yet"


def test_query_with_changes_keys_drops_empty_ones_and_the_cursor() -> None:
    request = RequestFactory().get("/?q=otter&tag=x&after=20")
    assert render('{% query_with tag="" live=1 %}', request=request) == "?q=otter&amp;live=1"


def test_the_pager_keeps_the_filters() -> None:
    html = render('{% pager older="7" %}', request=RequestFactory().get("/?q=otter&before=9"))
    assert 'href="?q=otter&amp;after=7"' in html
    assert html.count('aria-disabled="true"') == 1


def test_a_disabled_menu_item_says_why_and_leads_nowhere() -> None:
    html = render('{% menu_item "Delete" "/delete" disabled="in use" %}')
    assert "in use" in html
    assert "href" not in html


def test_a_menu_item_of_a_dialog_works_as_a_link_too() -> None:
    html = render('{% menu_item "Promote…" "/p" key="p" dialog=True %}')
    assert 'href="/p" hx-get="/p" hx-target="#dialog" hx-swap="innerHTML"' in html.replace("  ", " ")
    assert "<kbd>P</kbd>" in html


def test_menus_of_one_page_have_ids_of_their_own() -> None:
    html = render('{% menu label="A" %}{% endmenu %}{% menu label="B" %}{% endmenu %}')
    targets = {part.split('"')[0] for part in html.split('popovertarget="')[1:]}
    assert len(targets) == 2


class Form(forms.Form):
    name = forms.CharField(help_text="Small letters.")


def test_a_field_names_its_help_and_its_error() -> None:
    html = render("{% field form.name %}", form=Form({"name": ""}))
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_name_error"' in html
    assert "This field is required." in html


def test_a_callout_takes_nothing_from_the_page_around_it() -> None:
    assert "Page title" not in render('{% callout "info" "Text" %}', title="Page title")
