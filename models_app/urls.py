"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path, register_converter

from models_app.views import (
    assistants,
    data,
    data_history,
    data_search,
    data_upload,
    files,
    model_retention,
    models,
    testing,
    train,
    training,
    training_settings,
    validation,
)


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
    path("a/<str:slug>/settings", assistants.assistant_settings, name="assistant"),
    path("a/<str:slug>/settings/training", training_settings.training_settings, name="training-settings"),
    path("a/<str:slug>/settings/models", model_retention.retention_page, name="retention"),
    path("a/<str:slug>/settings/models/edit", model_retention.edit, name="retention-edit"),
    path("a/<str:slug>/settings/models/switch/<str:to>", model_retention.switch, name="retention-switch"),
    path("a/<str:slug>/models/", models.model_list, name="list"),
    path("a/<str:slug>/models/upload/", files.upload_page, name="upload"),
    path("a/<str:slug>/models/upload/<file_name:file_name>", files.upload, name="upload-file"),
    path("a/<str:slug>/models/<str:name>", models.model_detail, name="detail"),
    path("a/<str:slug>/models/<str:name>/tags", models.edit_tags, name="tags"),
    path("a/<str:slug>/models/<str:name>/keep", model_retention.keep, name="keep"),
    path("a/<str:slug>/models/<str:name>/delete", models.delete, name="delete"),
    path("a/<str:slug>/models/<str:name>/compare", models.compare_domains, name="compare"),
    path("a/<str:slug>/models/<str:name>/tests", testing.test_results, name="tests"),
    path("a/<str:slug>/models/<str:name>/test", testing.test_model, name="test"),
    path("a/<str:slug>/models/<str:name>/download", files.download, name="download"),
    path("a/<str:slug>/training/", training.job_list, name="training"),
    path("a/<str:slug>/training/<int:number>", training.job_detail, name="job"),
    path("a/<str:slug>/training/<int:number>/live", training.job_live, name="job-live"),
    path("a/<str:slug>/training/<int:number>/log", training.job_log, name="job-log"),
    path("a/<str:slug>/training/<int:number>/cancel", training.cancel, name="cancel"),
    path("a/<str:slug>/train", train.train, name="train"),
    path("a/<str:slug>/changes", training.changes, name="changes"),
    path("a/<str:slug>/data/", data.data_page, name="data"),
    path("a/<str:slug>/data/new", data.new_file, name="data-new"),
    path("a/<str:slug>/data/file/<path:path>", data.file_page, name="data-file"),
    path("a/<str:slug>/data/edit/<path:path>", data.edit_file, name="data-edit"),
    path("a/<str:slug>/data/rename/<path:path>", data.rename_file, name="data-rename"),
    path("a/<str:slug>/data/delete/<path:path>", data.delete_file, name="data-delete"),
    path("a/<str:slug>/data/raw/<path:path>", data_history.raw_file, name="data-raw"),
    path("a/<str:slug>/data/find", data_search.find, name="data-find"),
    path("a/<str:slug>/data/download", data_history.download, name="data-download"),
    path("a/<str:slug>/data/since-training", data_history.since_training, name="data-since-training"),
    path("a/<str:slug>/data/revisions/", data_history.history, name="data-history"),
    path("a/<str:slug>/data/revisions/<int:number>", data_history.revision_page, name="data-revision"),
    path("a/<str:slug>/data/revisions/<int:number>/restore", data_history.restore, name="data-restore"),
    path("a/<str:slug>/data/validate", validation.validate, name="validate"),
    path("a/<str:slug>/data/validation", validation.banner, name="validation"),
    path("a/<str:slug>/data/findings", validation.finding_list, name="findings"),
    path("a/<str:slug>/data/upload", data_upload.upload_page, name="data-upload"),
    path("a/<str:slug>/data/upload/file", data_upload.upload, name="data-upload-file"),
    path("a/<str:slug>/data/upload/preview", data_upload.preview, name="data-preview"),
]
