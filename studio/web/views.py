"""Pages of the interface itself: the documentation; for developers, every piece pages are made of."""

from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from studio.web import code
from studio.web import documentation as pages
from studio.web.dialogs import form_dialog

_OLD = "responses:\n  utter_greet:\n  - text: Hello!\n  utter_bye:\n  - text: Bye.\n"
_NEW = (
    "responses:\n  utter_greet:\n  - text: Hello, nice to see you!\n  utter_bye:\n  - text: Bye.\n    image: /bye.svg\n"
)
_PYTHON = "# A component of its own\nclass Sentiment(GraphComponent):\n    limit: float = 0.5\n"
_LOG = "\n".join(f"2026-11-22 20:46:{second:02d} INFO  Epoch {second + 1}/40" for second in range(40))

_TITLES = (
    "Page header, buttons, states and tags",
    "Table with filters, row menu and pager",
    "Forms",
    "Dialogs, toasts and menus",
    "Progress and steps",
    "Cards, key-value lists, stats and meters",
    "Callouts, empty states and copy blocks",
    "Code, differences, logs and tabs",
    "Chat",
    "Upload and waiting",
)


class SampleForm(forms.Form):
    name = forms.SlugField(help_text="Small letters, digits, dots, dashes and underscores.")
    kind = forms.ChoiceField(choices=[("connected", "Connected"), ("managed", "Managed")])
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    protected = forms.BooleanField(required=False, help_text="Only administrators may promote to it.")
    where = forms.MultipleChoiceField(
        choices=[("production", "production"), ("worker", "worker")], widget=forms.CheckboxSelectMultiple
    )


def _sample() -> dict[str, object]:
    now = timezone.now()
    return {
        "form": SampleForm({"name": "Not a slug", "kind": "managed"}),
        "clean_form": SampleForm(),
        "moments": [now - timedelta(seconds=s) for s in (40, 7200, 90000, 400000, 4000000)],
        "steps": [
            {"title": "Requested", "note": "14:20:11", "state": "done"},
            {"title": "Switched", "note": "+0.02 s", "state": "done"},
            {"title": "First replica", "note": "+6.1 s", "state": "now"},
            {"title": "All running", "note": "1 of 2", "state": "todo"},
        ],
        "yaml": _NEW,
        "python": _PYTHON,
        "hunks": code.diff(_OLD, _NEW),
        "log_text": _LOG,
    }


def _sections() -> list[tuple[str, str, str]]:
    """(title, template name, source): the markup shown is the markup used."""
    names = {title: f"web/components/{title.split(',')[0].replace(' ', '_').lower()}.html" for title in _TITLES}
    return [(title, name, _source(name)) for title, name in names.items()]


def _source(name: str) -> str:
    return (settings.BASE_DIR / "templates" / name).read_text()


@login_not_required
@require_safe
def documentation(request: HttpRequest, name: str) -> HttpResponse:
    """A page of docs/, which anybody can read elsewhere: also for who cannot sign in."""
    page = pages.page(name)
    if page is None:
        raise Http404
    layout = "base.html" if request.user.is_authenticated else "base_plain.html"
    return render(request, "web/documentation.html", {"page": page, "name": name, "layout": layout})


@login_not_required
def components(request: HttpRequest) -> HttpResponse:
    return render(request, "web/components.html", {**_sample(), "sections": _sections()})


@login_not_required
def component_dialog(request: HttpRequest, name: str) -> HttpResponse:
    if name == "new":
        return form_dialog(request, SampleForm(), "New environment", "Add it")
    if name != "delete":
        raise Http404
    context = {
        "heading": "Delete the assistant Café Lumen",
        "text": "Its models, training data and conversations go with it. This cannot be undone.",
        "confirm_label": "Delete the assistant",
        "typed": "cafe-lumen",
        "danger": True,
    }
    return render(request, "components/confirm.html", context)
