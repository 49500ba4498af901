"""URLs of signing in and of people and roles."""

from django.urls import URLPattern, URLResolver, path

from studio.access.oidc import views as oidc
from studio.access.views import (
    account,
    account_sessions,
    command_line,
    grants,
    people,
    people_sessions,
    rights,
    roles,
    service_accounts,
    sign_in,
    tokens,
)

app_name = "access"
urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in", sign_in.sign_in, name="sign-in"),
    path("sign-in/<str:secret>", sign_in.sign_in_link, name="sign-in-link"),
    path("sign-out", sign_in.sign_out, name="sign-out"),
    path("oidc/begin", oidc.begin, name="oidc-begin"),
    path("oidc/callback", oidc.callback, name="oidc-callback"),
    path("oidc/back-channel-logout", oidc.back_channel_logout, name="oidc-back-channel-logout"),
    path("auth/realms/rasa-studio/protocol/openid-connect/token", command_line.token, name="cli-token"),
    path("auth/realms/rasa-studio/protocol/openid-connect/auth/device", command_line.device, name="cli-device"),
    path("auth/realms/rasa-studio/.well-known/openid-configuration", command_line.describe, name="cli-configuration"),
    path("settings/account", account.account, name="account"),
    path("settings/account/access", rights.own_access, name="account-access"),
    path("settings/account/sessions/end", account_sessions.end_others, name="own-sessions-end"),
    path("settings/account/sessions/<int:pk>/end", account_sessions.end_one, name="own-session-end"),
    path("settings/tokens/", tokens.token_list, name="tokens"),
    path("settings/tokens/new", tokens.token_new, name="token-new"),
    path("settings/tokens/<int:pk>/revoke", tokens.token_revoke, name="token-revoke"),
    path("settings/tokens/<int:pk>/rotate", tokens.token_rotate, name="token-rotate"),
    path("settings/services/", service_accounts.service_list, name="services"),
    path("settings/services/new", service_accounts.service_new, name="service-new"),
    path("settings/services/<int:pk>", service_accounts.service_detail, name="service"),
    path("settings/services/<int:pk>/edit", service_accounts.service_edit, name="service-edit"),
    path("settings/services/<int:pk>/tokens/new", tokens.service_token_new, name="service-token-new"),
    path("settings/people/", people.person_list, name="people"),
    path("settings/people/new", people.person_new, name="person-new"),
    path("settings/people/<int:pk>", people.person_detail, name="person"),
    path("settings/people/<int:pk>/edit", people.person_edit, name="person-edit"),
    path("settings/people/<int:pk>/link", people.person_link, name="person-link"),
    path("settings/people/<int:pk>/shut-out", people.person_shut_out, name="person-shut-out"),
    path("settings/people/<int:pk>/let-in", people.person_let_in, name="person-let-in"),
    path("settings/people/<int:pk>/delete", people.person_delete, name="person-delete"),
    path("settings/people/<int:pk>/sessions/end", people_sessions.end_all, name="sessions-end"),
    path("settings/people/<int:pk>/sessions/<int:session_pk>/end", people_sessions.end_one, name="session-end"),
    path("settings/people/<int:pk>/access", rights.person_access, name="person-access"),
    path("settings/people/<int:pk>/roles/new", grants.grant_new, name="grant-new"),
    path("settings/people/<int:pk>/roles/<int:grant_pk>/take", grants.grant_revoke, name="grant-revoke"),
    path("settings/access/", rights.who, name="who"),
    path("settings/grants/", grants.grant_list, name="grants"),
    path("settings/grants/new", grants.grant_add, name="grant-add"),
    path("settings/grants/<int:pk>/take", grants.grant_take, name="grant-take"),
    path("settings/roles/", roles.role_list, name="roles"),
    path("settings/roles/new/", roles.role_new, name="role-new"),  # ends in a slash: a role may be called `new`
    path(
        "settings/roles/ready-made/", roles.ready_made, name="roles-ready-made"
    ),  # ends in a slash for the same reason
    path("settings/roles/<slug:name>", roles.role_detail, name="role"),
    path("settings/roles/<slug:name>/delete", roles.role_delete, name="role-delete"),
]
