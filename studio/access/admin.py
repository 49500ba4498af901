"""The tables of this app on the operators' pages."""

from studio.access.models import (
    ApiToken,
    BrowserSession,
    Grant,
    Identity,
    KeptAnswer,
    Role,
    SignInFailure,
    SignInLink,
    User,
)
from studio.operators.site import show

show(User, ("pk", "username", "name", "kind", "is_active", "last_seen_at"), ("=pk", "username", "name", "email"))
show(Role, ("pk", "name", "description", "is_builtin", "is_default"), ("=pk", "name"))
show(
    Grant,
    ("pk", "user_id", "group", "role_id", "scope_label", "source", "created_at"),
    ("=pk", "=user__id", "group", "scope_label"),
)
show(Identity, ("pk", "user_id", "issuer", "subject", "created_at"), ("=pk", "=user__id", "=subject"))
show(BrowserSession, ("pk", "user_id", "by", "address", "began_at", "seen_at"), ("=pk", "=user__id"))
show(
    ApiToken,
    ("pk", "name", "key", "user_id", "scope_label", "expires_at", "last_used_at", "revoked_at"),
    ("=pk", "=key", "name", "=user__id"),
)
show(SignInLink, ("pk", "user_id", "created_at", "expires_at", "used_at"), ("=pk", "=user__id"))
show(SignInFailure, ("pk", "username", "address", "at"), ("=pk", "username"))
show(KeptAnswer, ("pk", "user_id", "key", "status", "at"), ("=pk", "=user__id", "key"))
