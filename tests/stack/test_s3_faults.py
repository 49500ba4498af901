"""The artifact store before a real S3 server that fails in every way: each is said in words, and nothing is half there."""

import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from models_app.storage import ArtifactMissing, StoreFailed, StoreFull
from models_app.storage import s3 as backend
from models_app.storage.s3 import PART, S3Store
from models_app.storage.s3_client import Patience, Patiences, Place, in_words
from tests.stack import proxy as proxies
from tests.stack import s3 as servers
from tests.stack.proxy import Proxy
from tests.stack.s3 import S3Server

pytestmark = pytest.mark.stack

SMALL = b"a trained model" * 1000
HASTE = Patience(10, 30, 2)  # a busy machine takes seconds
HASTY = Patiences(reading=HASTE, writing=HASTE, asking=Patience(10, 30, 1))
IMPATIENT = Patience(1, 2, 2)
MB = 1024 * 1024


@pytest.fixture(scope="module")
def large() -> bytes:
    """60 MB that do not compress: four parts."""
    return os.urandom(60 * MB)


@pytest.fixture
def store(s3_place: Place, tmp_path: Path) -> S3Store:
    return S3Store(s3_place, tmp_path / "incoming", HASTY)


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    with proxies.before(s3.port) as proxy:
        yield proxy


@pytest.fixture
def behind(store: S3Store, proxy: Proxy) -> S3Store:
    """The same bucket, reached through the proxy."""
    endpoint = f"http://127.0.0.1:{proxy.port}"
    return S3Store(replace(store.place, endpoint=endpoint), store.incoming.folder, HASTY)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(store: S3Store, name: str, start: int = 0) -> bytes:
    with store.open(name, start) as file:
        return file.read()


ASKS = {
    "put": lambda store: store.put(io.BytesIO(SMALL)),
    "open": lambda store: store.open(sha256(SMALL)),
    "size": lambda store: store.size(sha256(SMALL)),
    "exists": lambda store: store.exists(sha256(SMALL)),
    "delete": lambda store: store.delete(sha256(SMALL)),
    "list": lambda store: list(store.older_than(datetime.now(UTC))),
    "sweep": lambda store: store.sweep(),
    "check": lambda store: store.check(),
}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


class TestSaidInWords:
    @every_ask
    def test_a_bucket_that_is_missing(self, s3: S3Server, tmp_path: Path, ask):
        with pytest.raises(StoreFailed, match="bucket of the artifact store does not exist") as raised:
            ask(S3Store(s3.place(bucket="nowhere"), tmp_path, HASTY))
        assert raised.value.code == "store-bucket"

    @pytest.mark.parametrize("wrong", [{"secret_key": "wrong"}, {"access_key": "nobody"}], ids=["secret", "id"])
    @every_ask
    def test_a_wrong_key(self, s3_place: Place, tmp_path: Path, ask, wrong):
        with pytest.raises(StoreFailed, match="does not take the access key") as raised:
            ask(S3Store(replace(s3_place, **wrong), tmp_path, HASTY))
        assert raised.value.code == "store-key"

    @every_ask
    def test_a_server_that_is_not_there(self, s3_place: Place, tmp_path: Path, unused_port: int, ask):
        gone = S3Store(replace(s3_place, endpoint=f"http://127.0.0.1:{unused_port}"), tmp_path, HASTY)
        with pytest.raises(StoreFailed, match="cannot be reached") as raised:
            ask(gone)
        assert raised.value.code == "store-unreachable"

    @every_ask
    def test_a_server_that_is_too_slow(self, behind: S3Store, proxy: Proxy, ask):
        behind._patiences = Patiences(reading=IMPATIENT, writing=IMPATIENT, asking=Patience(1, 1, 1))
        proxy.wait_seconds = 60
        began = time.monotonic()
        with pytest.raises(StoreFailed, match="does not answer in time") as raised:
            ask(behind)
        assert raised.value.code == "store-slow"
        assert time.monotonic() - began < 30

    def test_a_name_that_no_bucket_can_have(self, s3: S3Server, tmp_path: Path):
        with pytest.raises(StoreFailed, match="PARLEY_S3_BUCKET"):
            S3Store(s3.place(bucket="no such name"), tmp_path, HASTY).check()

    @pytest.mark.parametrize("code", ["QuotaExceeded", "XMinioStorageFull", "507"])
    def test_a_full_bucket(self, code: str):
        """The words of Ceph and versitygw, of MinIO, and of none; TestFull fills a real one."""
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 507 if code == "507" else 403}}
        with pytest.raises(StoreFull, match="no room left"), in_words(Place("models")):
            raise ClientError(answer, "PutObject")

    def test_what_is_missing_is_not_the_bucket(self, store: S3Store):
        for ask in (store.open, store.size):
            with pytest.raises(ArtifactMissing):
                ask(sha256(b"another"))


class TestDownload:
    def test_a_connection_that_breaks_twice_is_made_anew_where_it_broke(self, store, behind, proxy, large):
        store.put(io.BytesIO(large))
        proxy.cut_down_after, proxy.cuts = 10 * MB, 2
        assert read(behind, sha256(large)) == large
        assert proxy.made_cuts == 2

    def test_so_is_that_of_a_part(self, store, behind, proxy, large):
        store.put(io.BytesIO(large))
        proxy.cut_down_after, proxy.cuts = 10 * MB, 1
        assert read(behind, sha256(large), start=20 * MB) == large[20 * MB :]
        assert proxy.made_cuts == 1

    def test_one_that_always_breaks_is_given_up(self, store, behind, proxy, large):
        store.put(io.BytesIO(large))
        proxy.cut_down_after = 100_000
        with pytest.raises(StoreFailed, match="broke in the middle") as raised:
            read(behind, sha256(large))
        assert (raised.value.code, proxy.made_cuts) == ("store-cut", 5)

    def test_a_server_killed_in_the_middle(self, s3, store, large):
        store.put(io.BytesIO(large))
        with store.open(sha256(large)) as file:
            assert file.read(MB) == large[:MB]
            s3.kill()
            with pytest.raises(StoreFailed) as raised:
                file.read()
        assert raised.value.code in {"store-unreachable", "store-cut"}

    def test_a_server_that_comes_back_is_read_on(self, s3, store, large):
        store.put(io.BytesIO(large))
        with store.open(sha256(large)) as file:
            begin = file.read(MB)
            s3.kill()
            s3.start()
            assert begin + file.read() == large

    def test_one_that_goes_silent_is_given_up_in_time(self, store, behind, proxy, large):
        store.put(io.BytesIO(large))
        behind._patiences = replace(HASTY, reading=Patience(1, 3, 1))
        with behind.open(sha256(large)) as file:
            file.read(MB)
            proxy.wait_seconds = 120
            began = time.monotonic()
            with pytest.raises(StoreFailed) as raised:
                file.read()
        assert raised.value.code == "store-slow"
        assert time.monotonic() - began < 90

    def test_a_damaged_file_is_never_given_out_whole(self, s3, store, large):
        name = store.put(io.BytesIO(large)).sha256
        with (s3.data / store.place.bucket / name[:2] / name).open("r+b") as file:
            file.seek(30 * MB)
            file.write(b"?" if large[30 * MB] != ord("?") else b"!")
        taken = b""
        with store.open(name) as file, pytest.raises(StoreFailed) as raised:
            while piece := file.read(256 * 1024):
                taken += piece
        assert raised.value.code == "store-damaged"
        assert len(taken) < len(large)


class TestUpload:
    def test_60_mb_go_up_in_parts_with_a_checksum_of_each(self, s3, store, large):
        name = store.put(io.BytesIO(large)).sha256
        kept = s3.admin.head_object(Bucket=store.place.bucket, Key=f"{name[:2]}/{name}", ChecksumMode="ENABLED")
        assert kept["ContentLength"] == len(large)
        assert kept["ETag"].strip('"').endswith("-4")
        parts = [hashlib.sha256(large[at : at + PART]).digest() for at in range(0, len(large), PART)]
        whole = hashlib.sha256(b"".join(parts)).digest()
        assert kept["ChecksumSHA256"].partition("-")[0] == backend._base64(whole)
        assert read(store, name) == large

    def test_small_ones_carry_their_own_sha_256(self, s3, store):
        name = store.put(io.BytesIO(SMALL)).sha256
        kept = s3.admin.head_object(Bucket=store.place.bucket, Key=f"{name[:2]}/{name}", ChecksumMode="ENABLED")
        assert kept["ChecksumSHA256"] == backend._base64(bytes.fromhex(name))

    @pytest.mark.parametrize("size", [15_000, 40 * MB], ids=["whole", "in parts"])
    def test_a_byte_that_changes_on_its_way_is_noticed(self, store, behind, proxy, size):
        content = b"~model~" * (size // 7)
        proxy.change_up = lambda piece: piece.replace(b"~model~", b"~m0del~")
        with pytest.raises(StoreFailed, match="damaged") as raised:
            behind.put(io.BytesIO(content))
        assert raised.value.code == "store-damaged"
        assert not store.exists(sha256(content))
        assert nothing_unfinished(store)

    def test_an_answer_that_is_lost_is_no_failure(self, store, behind, proxy):
        """The second try meets what the first one brought, and the condition that nothing may be there."""
        proxy.cut_down_after, proxy.cuts = 40, 1  # "100 Continue" passes
        with behind.stage(io.BytesIO(SMALL)) as staged:
            behind._upload(staged, {"IfNoneMatch": "*"})
        assert proxy.made_cuts == 1
        assert read(store, sha256(SMALL)) == SMALL

    def test_a_connection_that_breaks_is_made_anew(self, store, behind, proxy, large):
        proxy.cut_up_after, proxy.cuts = 5 * MB, 1
        behind.put(io.BytesIO(large))
        assert proxy.made_cuts == 1
        assert read(store, sha256(large)) == large

    def test_a_server_killed_in_the_middle_leaves_nothing_that_is_not_swept(
        self, s3, store, behind, proxy, large, monkeypatch
    ):
        proxy.cut_up_after, proxy.cuts, proxy.on_cut = 5 * MB, 1, s3.kill
        with pytest.raises(StoreFailed) as raised:
            behind.put(io.BytesIO(large))
        assert raised.value.code in {"store-unreachable", "store-cut"}
        s3.start()
        assert not store.exists(sha256(large))
        assert list(store.incoming.folder.iterdir()) == []

        assert store.sweep() == 0  # it is younger than a day: its sender may live
        assert not nothing_unfinished(store)
        monkeypatch.setattr(backend, "UNFINISHED_AFTER", timedelta(seconds=-5))
        assert store.sweep() == 1
        assert nothing_unfinished(store)
        store.put(io.BytesIO(large))
        assert read(store, sha256(large)) == large

    def test_a_file_of_another_size_is_replaced(self, s3, store):
        name = sha256(SMALL)
        s3.admin.put_object(Bucket=store.place.bucket, Key=f"{name[:2]}/{name}", Body=b"half of it")
        store.put(io.BytesIO(SMALL))
        assert read(store, name) == SMALL

    def test_memory_stays_flat_whatever_the_size(self, store, tmp_path):
        script = (
            "import resource, sys; from pathlib import Path\n"
            "from models_app.storage.s3 import S3Store; from models_app.storage.s3_client import Place, Purpose\n"
            "from tests.models_app.test_storage import Endless\n"
            f"store = S3Store({store.place!r}, Path({str(tmp_path)!r}))\n"
            "kept = store.put(Endless(size=int(sys.argv[1]) * 1024**2))\n"
            "with store.open(kept.sha256) as file:\n"
            "    while file.read(256 * 1024): pass\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        )
        sizes = ("70", "400")  # MB; both are sent by all threads
        peaks = [int(subprocess.check_output([sys.executable, "-c", script, size], text=True)) for size in sizes]
        assert peaks[1] - peaks[0] < 20  # MB


class TestFull:
    def test_a_server_whose_disk_is_full_says_so_and_what_is_there_stays(self, tmp_path: Path):
        if not servers.can_mount():
            pytest.skip("this machine gives no process a small disk of its own (unshare and mount are refused)")
        with servers.running(megabytes=30) as small:
            store = S3Store(small.place(bucket=small.make_bucket()), tmp_path / "incoming")
            kept = store.put(io.BytesIO(os.urandom(PART))).sha256
            for size in (15 * MB, 40 * MB):  # whole, and in parts
                content = os.urandom(size)
                with pytest.raises(StoreFull, match="no room left"):
                    store.put(io.BytesIO(content))
                assert not store.exists(sha256(content))
            assert nothing_unfinished(store)
            assert sha256(read(store, kept)) == kept
            store.delete(kept)
            store.put(io.BytesIO(os.urandom(15 * MB)))


class TestWhatLiesInTheBucket:
    def test_more_than_a_page_is_listed_and_nothing_of_others(self, s3, store):
        """S3 lists a thousand at a time. The server's folder is written to: that many requests would take long."""
        ours = S3Store(replace(store.place, prefix="parley"), store.incoming.folder, HASTY)
        folder = s3.data / store.place.bucket
        names = {sha256(str(number).encode()) for number in range(1100)}
        others = ["parley/notes.txt", f"parley/{'0' * 64}", f"other/00/{'0' * 64}", f"parley/11/{'0' * 64}"]
        for key in [f"parley/{name[:2]}/{name}" for name in names] + others:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(b"x")
        listed = list(ours.older_than(datetime.now(UTC) + timedelta(seconds=5)))
        assert len(listed) == 1100 and set(listed) == names

    def test_unfinished_uploads_of_others_are_left_alone(self, s3, store, monkeypatch):
        bucket = store.place.bucket
        s3.admin.create_multipart_upload(Bucket=bucket, Key="backup.tar")
        monkeypatch.setattr(backend, "UNFINISHED_AFTER", timedelta(seconds=-5))
        assert store.sweep() == 0
        assert not nothing_unfinished(store)


def nothing_unfinished(store: S3Store) -> bool:
    uploads = store._client(HASTE).list_multipart_uploads(Bucket=store.place.bucket)
    return not uploads.get("Uploads")
