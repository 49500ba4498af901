"""What programs may do with people, roles, grants, tokens and sessions, and how they sign in."""

from ninja import Router

from studio.access.api import (
    account,
    grants,
    me,
    people,
    people_sessions,
    rights,
    roles,
    service_accounts,
    tokens,
)

router = Router()
for one in (me, account, people, people_sessions, roles, grants, rights, service_accounts, tokens):
    router.add_router("", one.router)
