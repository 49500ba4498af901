import io
import stat
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_app.data.check import Report, Role, Severity, check, check_file
from models_app.data.diff import Change, LineKind, compare
from models_app.data.packages import NamedClass, named_classes, own_packages
from models_app.data.project import Limits, Project, ProjectError, check_path, read_folder, read_zip
from models_app.data.yaml_text import YamlError, compose

CONFIG = b"recipe: default.v1\npipeline:\n  - name: WhitespaceTokenizer\n"
DOMAIN = b'version: "3.1"\nintents: [greet]\nresponses:\n  utter_greet:\n    - text: Hi\n'
STARTER = Path(__file__).parents[2] / "starter"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def project_of(files: dict[str, bytes], limits: Limits | None = None) -> Project:
    return read_zip(io.BytesIO(zipped(files)), limits)


def refusal_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ProjectError) as caught:
        read_zip(io.BytesIO(data), limits)
    return str(caught.value)


def with_role(report: Report, role: Role) -> list[str]:
    return sorted(path for path, roles in report.roles.items() if role in roles)


def messages_of(files: dict[str, bytes]) -> list[str]:
    return [str(problem) for problem in check(files).problems]


# Reading


def test_a_zip_keeps_its_files_byte_for_byte():
    files = {
        "config.yml": b"\xef\xbb\xbf" + CONFIG.replace(b"\n", b"\r\n"),
        "data/old.txt": b"caf\xe9 \x00",
        "domain.yml": DOMAIN,
    }
    assert project_of(files).files == files


def test_the_folder_that_was_zipped_is_taken_off():
    files = {"bot/config.yml": CONFIG, "bot/data/nlu.yml": b"nlu: []", "__MACOSX/bot/._config.yml": b"\0"}
    assert set(project_of(files).files) == {"config.yml", "data/nlu.yml"}


def test_what_is_no_training_data_is_left_out_and_named():
    unwanted = [
        ".git/config.txt",
        ".rasa/cache/x.json",
        ".env",
        "models/20250101.tar.gz",
        "models/notes.txt",
        "credentials.yml",
        "endpoints.yml",
        "picture.png",
        "actions/__pycache__/a.py",
    ]
    project = project_of({"config.yml": CONFIG, "actions/a.py": b""} | dict.fromkeys(unwanted, b"x"))
    assert set(project.files) == {"config.yml", "actions/a.py"}
    assert project.left_out == tuple(sorted(unwanted))


def test_a_strange_name_matters_only_where_the_file_is_kept():
    assert project_of({"config.yml": CONFIG, "Icon\r": b"", "node_modules/" + "x" * 400 + ".json": b""}).files
    assert "is no usable file name" in refusal_of(zipped({"con\nfig.yml": CONFIG}))


def test_a_package_called_models_inside_the_project_stays():
    assert "addons/models/a.py" in project_of({"config.yml": CONFIG, "addons/models/a.py": b""}).files


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty."),
        (b"not a zip at all", "The file is not a zip, or it is damaged."),
        (zipped({"../config.yml": CONFIG}), "../config.yml climbs out of the project's folder."),
        (zipped({"..\\config.yml": CONFIG}), "climbs out of the project's folder."),
        (zipped({"/etc/config.yml": CONFIG}), "is an absolute path"),
        (zipped({"C:/config.yml": CONFIG}), "is an absolute path"),
        (zipped({"picture.png": b"x"}), "There is nothing of a Rasa project in it"),
        (zipped({"config.yml": CONFIG}, zipfile.ZIP_BZIP2), "is compressed in a way that only some programs know"),
        (zipped({"config.yml": CONFIG})[:-30], "The file is not a zip, or it is damaged."),
    ],
)
def test_a_bad_zip_is_refused_in_one_sentence(data, sentence):
    assert sentence in refusal_of(data)


def test_a_link_in_a_zip_is_refused():
    info = zipfile.ZipInfo("config.yml")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert refusal_of(buffer.getvalue()) == "config.yml is a link; put the file itself in its place."


def test_a_file_that_is_in_a_zip_twice_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.yml", CONFIG)
        archive.writestr("./config.yml", CONFIG)
    assert refusal_of(buffer.getvalue()) == "config.yml is in it twice."


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(file_bytes=1024**2), "b.txt is larger than 1 MB."),
        (Limits(total_bytes=1024**2), "The project's files are larger than 1 MB together."),
        (Limits(files=1), "The project has more than 1 files."),
        (Limits(entries=1), "The zip holds more than 1 entries."),
        (Limits(zip_bytes=1024), "The zip is larger than"),
    ],
)
def test_a_zip_beyond_a_limit_is_refused(limits, sentence):
    assert sentence in refusal_of(zipped({"a.txt": bytes(100), "b.txt": bytes(3 * 1024**2)}), limits)


@given(st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_zip_with_a_changed_byte_is_refused_or_read(position, mask):
    data = bytearray(zipped({"config.yml": CONFIG * 3, "data/nlu.yml": b"nlu: []"}))
    data[position % len(data)] ^= mask
    try:
        read_zip(io.BytesIO(bytes(data)))
    except ProjectError as error:
        assert "\n" not in str(error)


def test_a_folder_is_read_like_a_zip(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/nlu.yml").write_bytes(b"nlu: []")
    (tmp_path / "config.yml").write_bytes(CONFIG)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/secret.txt").write_bytes(b"x")
    assert read_folder(tmp_path).files == {"config.yml": CONFIG, "data/nlu.yml": b"nlu: []"}


def test_a_link_in_a_folder_is_refused(tmp_path):
    (tmp_path / "config.yml").symlink_to("/etc/passwd")
    with pytest.raises(ProjectError, match="is a link"):
        read_folder(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ProjectError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("path", ["", "/", "../x", "a/../../x", "/x", "C:/x", "a\nb.yml", "a\0b", "x" * 301])
def test_an_unusable_path_is_refused(path):
    with pytest.raises(ProjectError):
        check_path(path)


def test_a_usable_path_is_made_plain():
    assert check_path("./data\\nlu.yml") == "data/nlu.yml"


# Judging


def test_the_starter_has_no_problem_and_every_role():
    report = check(read_folder(STARTER).files)
    assert report.problems == ()
    assert with_role(report, Role.CONFIG) == ["config.yml"]
    assert with_role(report, Role.DOMAIN) == ["domain.yml"]
    assert with_role(report, Role.TESTS) == ["tests/test_stories.yml"]
    assert "data/rules.yml" in with_role(report, Role.RULES)


def test_a_project_needs_a_config_and_a_domain():
    assert [message.partition(":")[0] for message in messages_of({"data/nlu.yml": b"nlu: []"})] == [
        "The project has no config",
        "The project has no domain",
    ]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (b"nlu:\n- intent: a\n  examples: [1\nb: 2", (4, 2), "Expected ',' or ']', but got ':'."),
        (b"nlu:\n\t- intent: a", (2, 1), "A tab stands where YAML wants spaces."),
        (b"intents: []\nslots: {}\nintents: []", (3, 1), "The key “intents” is in this place twice."),
        (b"nlu:\n- {a: 1, b: {c: 1, c: 2}}", (2, 20), "The key “c” is in this place twice."),
        (b"nlu: []\nx: a\x00b", (2, 5), "A character (number 0x00) that YAML does not allow."),
        (b"a: &x [1]\nb: *y", (2, 4), "Found undefined alias 'y'."),
    ],
)
def test_invalid_yaml_is_an_error_with_line_and_column(text, place, message):
    (problem,) = check_file("data/nlu.yml", text).problems
    assert (problem.severity, (problem.line, problem.column), problem.message) == (Severity.ERROR, place, message)


def test_byte_order_marks_and_windows_line_ends_are_fine():
    files = {"config.yml": b"\xef\xbb\xbf" + CONFIG.replace(b"\n", b"\r\n"), "domain.yml": DOMAIN}
    assert messages_of(files) == []


def test_a_yaml_file_in_a_windows_encoding_is_named():
    assert messages_of({"config.yml": CONFIG, "domain.yml": DOMAIN + b"# caf\xe9"}) == [
        "domain.yml: The file is not UTF-8, and Rasa reads nothing else. Save it as UTF-8."
    ]


@pytest.mark.parametrize(
    ("version", "start"),
    [
        (b"3.1", "The version has to be quoted"),
        (b'"4.0"', "Rasa 3.6 leaves this file out"),
        (b'"new"', "This is no format version"),
        (b"[3]", "This is no format version"),
    ],
)
def test_a_doubtful_format_version_is_a_warning(version, start):
    (problem,) = check_file("data/nlu.yml", b"version: " + version + b"\nnlu: []").problems
    assert problem.severity is Severity.WARNING
    assert problem.message.startswith(start)


@pytest.mark.parametrize("version", [b'"3.1"', b"'3.0'", b'"2.0"'])
def test_a_format_version_that_rasa_reads_is_fine(version):
    assert check_file("data/nlu.yml", b"version: " + version + b"\nnlu: []").problems == ()


def test_code_and_other_files_are_not_judged():
    report = check_file("actions/a.py", b"\xff\x00")
    assert (report.problems, report.roles["actions/a.py"]) == ((), {Role.CODE})


def test_nested_aliases_do_not_unfold():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    started = time.monotonic()
    compose("\n".join(lines))
    assert time.monotonic() - started < 30  # unfolded, it would take years


def test_nesting_without_end_is_an_error():
    with pytest.raises(YamlError, match="nesting is too deep"):
        compose("- " * 100_000)


# Comparing


def test_a_difference_names_added_removed_and_changed_files():
    old = {"a.yml": b"1", "b.yml": b"same", "c.yml": b"old\n"}
    new = {"b.yml": b"same", "c.yml": b"new\n", "d.yml": b"4"}
    assert [(file.path, file.change) for file in compare(old, new)] == [
        ("a.yml", Change.REMOVED),
        ("c.yml", Change.CHANGED),
        ("d.yml", Change.ADDED),
    ]


def test_changed_lines_stand_between_unchanged_ones_with_their_numbers():
    old = b"".join(b"line %d\n" % number for number in range(1, 21))
    (file,) = compare({"a": old}, {"a": old.replace(b"line 10\n", b"line ten\n")})
    assert (file.added, file.removed) == (1, 1)
    assert file.lines[0].text == "@@ -7,7 +7,7 @@"
    changed = [(line.kind, line.text, line.old_number, line.new_number) for line in file.lines[4:6]]
    assert changed == [
        (LineKind.REMOVED, "line 10", 10, None),
        (LineKind.ADDED, "line ten", None, 10),
    ]


def test_other_line_ends_are_seen():
    (file,) = compare({"a": b"x\n"}, {"a": b"x\r\n"})
    assert [line.text for line in file.lines[1:]] == ["x", "x␍"]


def test_another_encoding_of_the_same_text_is_told_apart():
    (file,) = compare({"a": "é".encode()}, {"a": b"\xef\xbb\xbf" + "é".encode()})
    assert file.only_encoding


def test_huge_files_are_not_compared_line_by_line():
    (file,) = compare({"a": b"x\n" * 400_000}, {"a": b"y\n" * 400_000})
    assert file.too_large
    assert file.lines == ()


# The project's own code


def test_the_pipeline_names_the_projects_packages():
    config = b"""
pipeline:
  - name: WhitespaceTokenizer
  - name: my_components.sentiment.Analyzer
  - name: rasa.nlu.classifiers.fallback_classifier.FallbackClassifier
policies:
  - name: elsewhere.Policy
"""
    files = {"config.yml": config, "my_components/__init__.py": b"", "my_components/sentiment.py": b""}
    assert named_classes(files) == [
        NamedClass("elsewhere.Policy", "elsewhere", None),
        NamedClass("my_components.sentiment.Analyzer", "my_components", "my_components/sentiment.py"),
    ]
    assert own_packages(files) == ["my_components"]


@pytest.mark.parametrize("config", [b"pipeline: 3", b"pipeline:\n- 3\n- {name: 4}", b"pipeline: [", b"policies: null"])
def test_a_config_of_unexpected_shape_names_nothing(config):
    assert named_classes({"config.yml": config}) == []
