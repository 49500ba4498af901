"""Why there is no backup, or none is brought back; the message says what to do."""

from studio.errors import DomainError


class BackupRefused(DomainError):
    """Nothing was changed, or what was is mended by the same command again."""

    code = "backup-refused"
