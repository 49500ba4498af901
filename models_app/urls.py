"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path, register_converter

from models_app.views import assistants, files, models


class FileNameConverter:
    """A file name with an ending. A word without a dot is a page of the model called `upload`, as of any other."""

    regex = r"[^/]*\.[^/]*"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(FileNameConverter, "file_name")

app_name = "models"
urlpatterns: list[URLPattern | URLResolver] = [
    path("assistants/", assistants.assistant_list, name="assistants"),
    path("a/<str:slug>/settings", assistants.assistant_settings, name="assistant"),
    path("a/<str:slug>/models/", models.model_list, name="list"),
    path("a/<str:slug>/models/upload/", files.upload_page, name="upload"),
    path("a/<str:slug>/models/upload/<file_name:file_name>", files.upload, name="upload-file"),
    path("a/<str:slug>/models/<str:name>", models.model_detail, name="detail"),
    path("a/<str:slug>/models/<str:name>/tags", models.edit_tags, name="tags"),
    path("a/<str:slug>/models/<str:name>/delete", models.delete, name="delete"),
    path("a/<str:slug>/models/<str:name>/compare", models.compare_domains, name="compare"),
    path("a/<str:slug>/models/<str:name>/download", files.download, name="download"),
]
