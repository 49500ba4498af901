"""A backup in a bucket."""

from dataclasses import replace

from botocore.exceptions import ClientError
from django.conf import settings

from models_app.backup.errors import BackupRefused
from models_app.backup.places import MANIFEST, PARTS, S3, refuse_strangers
from models_app.storage import ArtifactMissing
from models_app.storage.s3 import S3Store
from models_app.storage.s3_client import Patiences, Place, client, in_words, word_of

_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict"}


class BucketPlace:
    """The keys of a bucket that begin with `<prefix>/`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        inside = replace(place, prefix=f"{place.prefix}/{PARTS}")
        self.parts = S3Store(inside, settings.ARTIFACTS_DIR / "incoming")
        self._client = client(place, Patiences().writing)
        self._manifest = {"Bucket": place.bucket, "Key": f"{place.prefix}/{MANIFEST}"}

    @property
    def label(self) -> str:
        return f"{S3}{self.place.bucket}/{self.place.prefix} of {self.place.endpoint or 'Amazon'}"

    def manifest(self) -> bytes | None:
        try:
            with in_words(self.place):
                content: bytes = self._client.get_object(**self._manifest)["Body"].read()
                return content
        except ArtifactMissing:
            return None

    def prepare(self) -> None:
        """By the levels of the key: parts are not listed one by one."""
        with in_words(self.place):
            prefix = f"{self.place.prefix}/"
            found = self._client.list_objects_v2(Bucket=self.place.bucket, Prefix=prefix, Delimiter="/", MaxKeys=10)
        names = [one["Key"] for one in found.get("Contents", [])]
        names += [one["Prefix"] for one in found.get("CommonPrefixes", [])]
        known = {f"{prefix}{MANIFEST}", f"{prefix}{PARTS}/", prefix}
        refuse_strangers([name for name in names if name not in known], self.label)

    def finish(self, manifest: bytes) -> None:
        """Ours may be there already, when the answer to a first try was lost."""
        with in_words(self.place):
            try:
                self._put(manifest, IfNoneMatch="*")
            except ClientError as error:
                if word_of(error) == "NotImplemented":  # a server that knows no such condition
                    self._put(manifest)
                elif word_of(error) not in _TAKEN:
                    raise
                elif self.manifest() != manifest:
                    raise BackupRefused(f"Somebody else finished a backup at {self.label} meanwhile.") from None

    def _put(self, manifest: bytes, **condition: str) -> None:
        self._client.put_object(**self._manifest, Body=manifest, ChecksumAlgorithm="SHA256", **condition)
