"""Every action that is audited. The value is what the row stores and the filter's URL carries."""

from enum import StrEnum


class Action(StrEnum):
    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    SIGN_IN_REFUSED = "sign-in-refused"
    SESSION_ENDED = "session-ended"
    ACCESS_REFUSED = "access-refused"
    TOKEN_REFUSED = "token-refused"  # noqa: S105
    AUDIT_EXPORTED = "audit-exported"
    KEYS_ROTATED = "keys-rotated"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105
    SIGN_IN_LINK_MADE = "sign-in-link-made"
    TOKEN_MADE = "token-made"  # noqa: S105
    TOKEN_ROTATED = "token-rotated"  # noqa: S105
    TOKEN_REVOKED = "token-revoked"  # noqa: S105
    PERSON_CREATED = "person-created"
    PERSON_CHANGED = "person-changed"
    PERSON_DELETED = "person-deleted"
    ROLE_CREATED = "role-created"
    ROLE_CHANGED = "role-changed"
    ROLE_DELETED = "role-deleted"
    ROLE_GRANTED = "role-granted"
    ROLE_REVOKED = "role-revoked"
    ASSISTANT_CREATED = "assistant-created"
    ASSISTANT_RENAMED = "assistant-renamed"
    ASSISTANT_DELETED = "assistant-deleted"
    MODEL_ADDED = "model-added"
    MODEL_DELETED = "model-deleted"
    MODEL_KEPT = "model-kept"
    MODEL_KEPT_NO_LONGER = "model-kept-no-longer"
    TAG_SET = "tag-set"
    TAG_REMOVED = "tag-removed"
    REVISION_CREATED = "revision-created"
    TRAINING_REQUESTED = "training-requested"
    TRAINING_CANCELLED = "training-cancelled"
    TRAINING_FINISHED = "training-finished"
    VALIDATION_REQUESTED = "validation-requested"
    TEST_REQUESTED = "test-requested"
    TRAINING_SETTINGS_CHANGED = "training-settings-changed"
    ENVIRONMENT_CREATED = "environment-created"
    ENVIRONMENT_CHANGED = "environment-changed"
    ENVIRONMENT_REMOVED = "environment-removed"
    SERVER_STARTED = "server-started"
    SERVER_STOPPED = "server-stopped"
    SERVER_RESTARTED = "server-restarted"
    SERVER_ENDED = "server-ended"
    PROMOTED = "promoted"
    PROMOTION_ENDED = "promotion-ended"
    TRYING_SETTINGS_CHANGED = "trying-settings-changed"
    SLOT_REQUESTED = "slot-requested"
    SLOT_STOPPED = "slot-stopped"
    RASA_INSTALL_REQUESTED = "rasa-install-requested"
    RASA_REMOVAL_REQUESTED = "rasa-removal-requested"
    SHARE_LINK_CREATED = "share-link-created"
    SHARE_LINK_CHANGED = "share-link-changed"
    SHARE_LINK_REVOKED = "share-link-revoked"
    DEAD_LETTER_RETRIED = "dead-letter-retried"
    DEAD_LETTER_EDITED = "dead-letter-edited"
    DEAD_LETTER_DISCARDED = "dead-letter-discarded"
    DEAD_LETTERS_RETRY_REQUESTED = "dead-letters-retry-requested"
    DEAD_LETTERS_DISCARD_REQUESTED = "dead-letters-discard-requested"
    DEAD_LETTERS_HANDLED = "dead-letters-handled"
    INTAKE_SOURCE_ADDED = "intake-source-added"
    INTAKE_SOURCE_CHANGED = "intake-source-changed"
    INTAKE_SOURCE_REMOVED = "intake-source-removed"
    INTAKE_ALARM_CLEARED = "intake-alarm-cleared"
    INTAKE_INCIDENT_CLOSED = "intake-incident-closed"
    ENVIRONMENT_ADOPTED = "environment-adopted"
    HISTORY_IMPORT_STARTED = "history-import-started"
    HISTORY_IMPORTED = "history-imported"
    REPAIR_REQUESTED = "repair-requested"
    REPAIR_FINISHED = "repair-finished"
    EXAMPLES_DISCARDED = "examples-discarded"
    EXAMPLES_BROUGHT_BACK = "examples-brought-back"
    CONVERSATION_ERASED = "conversation-erased"
    ERASURE_REQUESTED = "erasure-requested"
    CONVERSATIONS_ERASED = "conversations-erased"
    RETENTION_CHANGED = "retention-changed"
    CONVERSATIONS_EXPORTED = "conversations-exported"

    @property
    def is_refusal(self) -> bool:
        return self.value.endswith("-refused")

    @property
    def label(self) -> str:
        """What people read: `Password changed`."""
        return self.value.replace("-", " ").capitalize()
