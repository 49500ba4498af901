"""Who there is and what they may do."""

from functools import cached_property
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Lower

from studio.access.permissions import EVERYWHERE, Limit, Permission, Scope
from studio.fields import EncryptedField


class UserManager(BaseUserManager["User"]):
    def called(self, username: str | None) -> "models.QuerySet[User]":
        """Who has this user name, compared as its unique index does: `iexact` compares capitals, of which two different
        small letters may have the same one."""
        return self.alias(lower=Lower("username")).filter(lower=Lower(Value(username)))

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.called(username).get()


class User(AbstractBaseUser):
    """A person, or a service that acts by API tokens. Permissions come from grants alone: no superuser flag."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        SERVICE = "service", "Service account"  # never signs in

    username = models.CharField(max_length=150)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.PERSON)
    name = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=300, blank=True)  # of a service account: what it is for
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    # The single sign-on's groups at the last sign-in or renewal: grants may name them.
    groups = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    # Made before the first single sign-on: whoever comes with this user name is this person, once.
    awaits_identity = models.BooleanField(default=False)
    # Sessions carry this number; raising it ends them all.
    session_epoch = models.PositiveIntegerField(default=0)

    objects: ClassVar[UserManager] = UserManager()

    # What the API token of this request narrows everything to; not a field.
    limit: Limit | None = None

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
        """Every grant, own or of a group, as (where, permissions), read once for each request's user object."""
        # Without the rows around them: every request asks this.
        rows = Grant.objects.of(self).order_by().values_list("assistant_id", "environment_id", "role__permissions")
        found = [(Scope(assistant, environment), frozenset(held)) for assistant, environment, held in rows]
        return found if self.limit is None else self.limit.narrowed(found)

    def may(self, permission: Permission, scope: Scope = EVERYWHERE) -> bool:
        """True when a grant that covers `scope` holds `permission`."""
        return self.is_active and any(
            permission in permissions and where.covers(scope) for where, permissions in self.granted
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


class GrantQuerySet(models.QuerySet["Grant"]):
    def of(self, user: User) -> Self:
        """What a person holds, by themselves or by a group of the single sign-on."""
        mine = Q(user=user) | Q(group__in=user.groups) if user.groups else Q(user=user)
        return self.filter(mine).select_related("role")


class Grant(models.Model):
    """One role for one person or one group: everywhere, in one assistant, or in one environment.

    Assistants and environments live in apps above this one, so the ids carry no foreign key.
    """

    class Source(models.TextChoices):
        HAND = "hand", "Given here"
        SINGLE_SIGN_ON = "sso", "From single sign-on"  # made and taken away at each sign-in and renewal

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants", null=True, blank=True)
    group = models.CharField(max_length=255, blank=True)
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="grants")
    source = models.CharField(max_length=20, choices=Source, default=Source.HAND)
    assistant_id = models.BigIntegerField(null=True, blank=True)
    environment_id = models.BigIntegerField(null=True, blank=True)
    scope_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "group", "role", "assistant_id", "environment_id", "source"],
                name="grant_unique",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False, group="") | Q(user__isnull=True) & ~Q(group=""),
                name="grant_of_a_person_or_a_group",
            ),
            models.CheckConstraint(
                condition=Q(environment_id__isnull=True) | Q(assistant_id__isnull=False),
                name="grant_environment_has_assistant",
            ),
        ]
        # Every request asks for a person's grants; those of groups would be looked for among all of them.
        indexes = [models.Index(fields=["group"], condition=~Q(group=""), name="grant_of_group")]
        ordering = ["role__name", F("assistant_id").asc(nulls_first=True)]

    def __str__(self) -> str:
        return f"{self.user or self.group} {self.role} {self.scope_label or 'everywhere'}"

    @property
    def scope(self) -> Scope:
        return Scope(self.assistant_id, self.environment_id)


class Identity(models.Model):
    """Who a person is at an OpenID Connect provider. The pair never changes; names and e-mail addresses may."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_unique")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class BrowserSession(models.Model):
    """One signed-in browser. Deleting the row together with Django's session ends it."""

    class By(models.TextChoices):
        PASSWORD = "password", "Password"
        LINK = "link", "One-time link"
        SINGLE_SIGN_ON = "sso", "Single sign-on"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="browser_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    by = models.CharField(max_length=20, choices=By)
    address = models.GenericIPAddressField(null=True, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    began_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(auto_now_add=True)
    # Of a single sign-on: whose, which session there, and what renews and ends it (both encrypted).
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    provider_session = models.CharField(max_length=255, blank=True, db_index=True)
    refresh_token = EncryptedField(default=b"")
    id_token = EncryptedField(default=b"")
    renew_at = models.DateTimeField(null=True, blank=True, db_index=True)  # when to ask there next
    renewed_at = models.DateTimeField(null=True, blank=True)  # when the provider last said that its session goes on
    confirmed_until = models.DateTimeField(null=True, blank=True)  # for how long it said so
    ends_at = models.DateTimeField(null=True, blank=True)  # when its session ends unless it is used before

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.user} by {self.get_by_display().lower()}"


class ApiToken(models.Model):
    """`parley_<key>.<secret>`: acts as its user, no wider than `permissions` and the scope, and than the user's grants.

    The row holds the digest of the secret, never the secret.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    permissions = ArrayField(models.CharField(max_length=63), default=list)
    assistant_id = models.BigIntegerField(null=True, blank=True)
    environment_id = models.BigIntegerField(null=True, blank=True)
    scope_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replaces")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(environment_id__isnull=True) | Q(assistant_id__isnull=False),
                name="token_environment_has_assistant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (parley_{self.key})"

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


class KeptAnswer(models.Model):
    """What the API answered to a request that may come again under the same Idempotency-Key."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request = models.BinaryField(max_length=32)  # SHA-256 of token, method, address and body
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body_encrypted = EncryptedField(default=b"")  # it may hold a secret that is shown once
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="answer_once_by_key")]

    def __str__(self) -> str:
        return f"answer to {self.user} under {self.key}"
