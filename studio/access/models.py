"""Who there is and what they may do."""

from functools import cached_property
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from studio.access.permissions import EVERYWHERE, Permission, Scope


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__iexact=username)


class User(AbstractBaseUser):
    """A person. Permissions come from grants alone: there is no superuser flag."""

    username = models.CharField(max_length=150)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Sessions carry this number; raising it ends them all.
    session_epoch = models.PositiveIntegerField(default=0)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="user_username_unique")]
        ordering = ["username"]

    def __str__(self) -> str:
        return self.name or self.username

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must match to go on. Of the epoch too: raising it ends every session, password or not."""
        inherited: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{self.session_epoch}:{inherited}"

    @cached_property
    def granted(self) -> list[tuple[Scope, frozenset[str]]]:
        """Every grant as (where, permissions), read once for each request's user object."""
        return [
            (Scope(grant.assistant_id, grant.environment_id), frozenset(grant.role.permissions))
            for grant in self.grants.select_related("role")
        ]

    def may(self, permission: Permission, scope: Scope = EVERYWHERE) -> bool:
        """True when a grant that covers `scope` holds `permission`."""
        return self.is_active and any(
            permission in permissions and _covers(where, scope) for where, permissions in self.granted
        )

    def may_somewhere(self, permission: Permission, assistant_id: int | None = None) -> bool:
        """True when the permission is held in any scope at all, or in any scope within one assistant."""
        return self.is_active and any(
            permission in permissions
            and (assistant_id is None or where.assistant_id is None or where.assistant_id == assistant_id)
            for where, permissions in self.granted
        )

    def assistants_with(self, permission: Permission) -> "set[int] | None":
        """Ids of the assistants where the permission is held in at least one scope; None means all of them."""
        scopes = [where for where, permissions in self.granted if permission in permissions] if self.is_active else []
        if any(where.assistant_id is None for where in scopes):
            return None
        return {where.assistant_id for where in scopes if where.assistant_id is not None}

    def environments_with(self, permission: Permission) -> "tuple[set[int] | None, set[int]]":
        """(assistant ids held as a whole or None for all, single environment ids) for `visible_to` querysets."""
        scopes = [where for where, permissions in self.granted if permission in permissions] if self.is_active else []
        if any(where.assistant_id is None for where in scopes):
            return None, set()
        whole = {s.assistant_id for s in scopes if s.assistant_id is not None and s.environment_id is None}
        return whole, {s.environment_id for s in scopes if s.environment_id is not None}


def _covers(where: Scope, asked: Scope) -> bool:
    if where.assistant_id is None:
        return True
    if where.assistant_id != asked.assistant_id:
        return False
    return where.environment_id is None or where.environment_id == asked.environment_id


Viewer = User | AnonymousUser


class Role(models.Model):
    """A named set of permissions that admins edit."""

    name = models.SlugField(max_length=63, unique=True)
    description = models.CharField(max_length=300, blank=True)
    permissions = ArrayField(models.CharField(max_length=63), default=list)
    is_default = models.BooleanField(default=False)  # given to new people of single sign-on
    is_builtin = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """One role for one person: everywhere, in one assistant, or in one environment.

    Assistants and environments live in apps above this one, so the ids carry no foreign key.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="grants")
    assistant_id = models.BigIntegerField(null=True, blank=True)
    environment_id = models.BigIntegerField(null=True, blank=True)
    scope_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "assistant_id", "environment_id"],
                name="grant_unique",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(environment_id__isnull=True) | Q(assistant_id__isnull=False),
                name="grant_environment_has_assistant",
            ),
        ]
        ordering = ["role__name", F("assistant_id").asc(nulls_first=True)]

    def __str__(self) -> str:
        return f"{self.user} {self.role} {self.scope_label or 'everywhere'}"

    @property
    def scope(self) -> Scope:
        return Scope(self.assistant_id, self.environment_id)


class SignInLink(models.Model):
    """A link that signs one person in once. The row holds the digest of its secret, never the secret."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"link for {self.user}"


class SignInFailure(models.Model):
    """One refused sign-in, counted for the lock-out by account and by address."""

    username = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["username", "at"]), models.Index(fields=["address", "at"])]

    def __str__(self) -> str:
        return f"{self.username} {self.at}"
