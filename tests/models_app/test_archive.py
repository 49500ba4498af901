import gzip
import io
import json
import tarfile
import time
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.rasa.archive import ArchiveError, ArchiveFacts, Limits, inspect
from studio.rasa.domain import DomainSummary, compare, summarize
from tests.models_app.archives import METADATA, gzip_bomb, link, model_archive, packed


def facts_of(data: bytes, limits: Limits | None = None) -> ArchiveFacts:
    return inspect(io.BytesIO(data), limits)


def refusal_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ArchiveError) as caught:
        facts_of(data, limits)
    return str(caught.value)


def test_reads_the_facts_of_a_model():
    facts = facts_of(model_archive())
    assert facts.trained_at == datetime(2025, 3, 1, 10, 20, 30, 500000, tzinfo=UTC)
    assert facts.rasa_open_source_version == "3.6.21"
    assert facts.model_id == METADATA["model_id"]
    assert (facts.assistant_id, facts.language, facts.project_fingerprint) == ("cafe-lumen", "en", "c0ffee")
    assert facts.training_type == "both"
    assert facts.domain.counts() == {
        "intents": 2,
        "entities": 2,
        "slots": 1,
        "responses": 2,
        "actions": 1,
        "forms": 1,
    }
    assert facts.domain.names("intents") == ("ask_price", "greet")


def test_reads_a_file_by_its_path(tmp_path):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(model_archive())
    assert inspect(path).model_id == METADATA["model_id"]


def test_reads_a_model_of_rasa_3_0_which_had_fewer_fields():
    facts = facts_of(model_archive(without=("assistant_id", "project_fingerprint"), rasa_open_source_version="3.0.0"))
    assert (facts.rasa_open_source_version, facts.assistant_id, facts.project_fingerprint) == ("3.0.0", None, None)


def test_reads_a_model_of_rasa_2_by_its_fingerprint():
    data = packed(
        ("fingerprint.json", b'{"version": "2.8.3", "trained_at": 1630000000.5, "domain": 123}'),
        ("nlu/metadata.json", b'{"language": "de"}'),
    )
    facts = facts_of(data)
    assert (facts.rasa_open_source_version, facts.language) == ("2.8.3", "de")
    assert facts.trained_at == datetime(2021, 8, 26, 17, 46, 40, 500000, tzinfo=UTC)


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_reads_names_too_long_for_a_plain_header(tar_format):
    long_name = "components/" + "x" * 300 + ".json"
    metadata = json.dumps(METADATA).encode()
    assert facts_of(packed((long_name, b"{}"), ("metadata.json", metadata), tar_format=tar_format)).model_id


def test_reads_a_stream_of_several_gzip_parts_with_padding():
    plain = gzip.decompress(model_archive())
    assert facts_of(gzip.compress(plain[:700]) + gzip.compress(plain[700:]) + bytes(20)).model_id


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\x1f", "The file is not a gzip archive."),
        (b"PK\x03\x04 a zip", "The file is not a gzip archive."),
        (gzip.compress(b"not a tar" * 100, mtime=0), "The archive is damaged or not a tar archive"),
        (gzip.compress(b"", mtime=0), "The archive has no metadata.json"),
        (packed(("components/a.json", b"{}")), "The archive has no metadata.json"),
        (packed(("model/metadata.json", b"{}")), "The archive has no metadata.json"),
        (packed(("metadata.json", b"{broken")), "The model's metadata.json is not valid JSON."),
        (packed(("metadata.json", b"\xff\xfe")), "The model's metadata.json is not valid JSON."),
        (packed(("metadata.json", b"[" * 100_000)), "The model's metadata.json is not valid JSON."),
        (packed(("metadata.json", b"[]")), "The model's metadata.json is not a JSON object."),
        (model_archive(without=("domain", "trained_at")), "The model's metadata.json lacks trained_at, domain."),
        (model_archive(trained_at="yesterday"), "The model's metadata.json names no readable time"),
        (model_archive(rasa_open_source_version=3), "The model's metadata.json has no readable rasa_open"),
        (model_archive(("metadata.json", b"{}")), "The archive holds metadata.json twice."),
        (model_archive(("../../etc/passwd", b"")), "The archive holds a path that climbs out of it (../../etc"),
        (model_archive(("components/..\\..\\x", b"")), "The archive holds a path that climbs out of it"),
        (model_archive(("/etc/passwd", b"")), "The archive holds an absolute path (/etc/passwd)."),
        (model_archive(("C:\\windows\\x", b"")), "The archive holds an absolute path"),
        (model_archive(link("components/a", "/etc/passwd")), "The archive holds a link (components/a)"),
        (model_archive(link("a", "metadata.json", tarfile.LNKTYPE)), "The archive holds a link (a)"),
        (model_archive(link("tty", "", tarfile.CHRTYPE)), "The archive holds a device (tty)"),
        (model_archive(link("pipe", "", tarfile.FIFOTYPE)), "The archive holds a device (pipe)"),
        (model_archive()[:-9], "The archive is truncated"),
        (model_archive() + b"tail", "The archive is damaged: something else follows its end."),
    ],
    ids=lambda value: "archive" if isinstance(value, bytes) else None,  # bytes of archives hold the time of day
)
def test_refuses_what_is_no_model_in_one_sentence(data, sentence):
    assert refusal_of(data).startswith(sentence)


def test_refuses_a_gzip_bomb_by_its_ratio():
    assert "times its size" in refusal_of(gzip_bomb(80 * 1024**2))


def test_refuses_what_unpacks_beyond_the_limit():
    assert "more than 1,000 bytes" in refusal_of(model_archive(), Limits(unpacked_bytes=1000))


def test_refuses_too_many_members():
    files = [(f"components/{number}", b"") for number in range(30)]
    assert "more than 20 files" in refusal_of(packed(*files), Limits(members=20))


def test_refuses_a_description_too_large_to_read():
    assert "larger than 100 bytes" in refusal_of(model_archive(), Limits(file_bytes=100))


def test_refuses_an_extended_header_of_absurd_size_without_reading_it():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 50 * 1024**2
    assert "larger than a header can be" in refusal_of(gzip.compress(info.tobuf() + bytes(1024)))


def test_gives_up_on_an_archive_that_takes_too_long():
    assert "more than 0 seconds" in refusal_of(model_archive(), Limits(seconds=0))


def test_reads_a_large_model_with_flat_memory():
    noise = io.BytesIO()
    with gzip.GzipFile(fileobj=noise, mode="wb", compresslevel=1) as stream:
        stream.write(gzip.decompress(gzip_bomb(48 * 1024**2))[:-1024])
        stream.write(gzip.decompress(model_archive()))
    data = noise.getvalue()
    tracemalloc.start()
    facts_of(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024**2


def facts_or_refusal(data: bytes) -> ArchiveFacts | None:
    started = time.monotonic()
    try:
        return facts_of(data)
    except ArchiveError as error:
        assert "\n" not in str(error)
        return None
    finally:
        assert time.monotonic() - started < 30


def test_refuses_a_model_cut_at_any_byte():
    whole = model_archive()
    assert [end for end in range(0, len(whole), 10) if facts_or_refusal(whole[:end]) is not None] == []


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_is_refused_or_harmless(mask):
    whole = model_archive()
    right = facts_of(whole)
    for position in range(0, len(whole), 3):
        spoiled = bytearray(whole)
        spoiled[position] ^= mask
        assert facts_or_refusal(bytes(spoiled)) in (None, right)


@given(position=st.integers(0, 6000), garbage=st.binary(min_size=1, max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_garbage_inside_the_tar_is_refused_or_read(position, garbage):
    plain = bytearray(gzip.decompress(model_archive()))
    plain[position : position + len(garbage)] = garbage
    facts_or_refusal(gzip.compress(bytes(plain), compresslevel=1))


@given(st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_extended_header_are_refused_or_read(payload):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(payload)
    padded = payload + bytes(-len(payload) % 512)
    facts_or_refusal(gzip.compress(info.tobuf() + padded + gzip.decompress(model_archive())))


def test_domains_differ_by_what_was_added_removed_and_changed():
    old = summarize({"intents": ["greet", "bye"], "responses": {"utter_greet": [{"text": "Hi"}]}})
    new = summarize({"intents": ["greet", "book"], "responses": {"utter_greet": [{"text": "Hello"}]}})
    differences = {difference.kind: difference for difference in compare(old, new)}
    assert (differences["intents"].added, differences["intents"].removed) == (("book",), ("bye",))
    assert differences["responses"].changed == ("utter_greet",)
    assert not differences["slots"]


def test_a_summary_survives_being_stored_as_json():
    summary = summarize(METADATA["domain"])
    assert DomainSummary.from_json(summary.as_json()) == summary


@pytest.mark.parametrize("domain", [None, [], "text", {"intents": 3, "slots": [1, None], "forms": ["old_form"]}])
def test_a_domain_of_unexpected_shape_declares_what_can_be_read(domain):
    assert summarize(domain).counts()["intents"] == 0
