"""Words in the training data: lines that hold them, with the way to each."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from models_app.data.search import LONGEST, search
from models_app.data_loaders import load_data
from models_app.views.validation import at


@require_safe
def find(request: HttpRequest, slug: str) -> HttpResponse:
    """The lines with `q` in the revision that is looked at, of the files that the person may see."""
    data = load_data(request, slug)
    words = request.GET.get("q", "").strip()[: LONGEST + 2]  # with quotation marks
    found = search(data.files(data.revision), words) if words else []
    context = {
        "data": data,
        "at": at(data),
        "words": words,
        "found": found,
        "shown": sum(len(one.lines) for one in found),
        "total": sum(one.total for one in found),
    }
    return render(request, "models_app/data/find.html", context)
