"""Who gets which answer at every address of Parley. tests/house/test_permission_matrix.py asks each row once for each kind of person.

A new URL: add a row for each method it answers, in the section of its app. The path is written out, with the names of
tests/house/world.py ({placeholders} are its words). Methods without a row must answer 405.
Answers: 200 · 202 not yet · 204 · 302 redirect, for the anonymous to the sign-in page · 401 the API's own · 403 seen but not allowed
· 404 not even seen · 422 allowed, and the empty form is refused · 409 allowed, and it
began from an older state.

An address of the API: one row for each method in API_BY_TOKEN, with the JSON body as `data` where it takes one; the rows
with a browser's session are made of these. What needs no token goes to SERVERS.
"""

import re
from typing import Any, NamedTuple

from django.contrib import admin

from tests.house.conversation_api_rows import CONVERSATIONS_BY_TOKEN


class Row(NamedTuple):
    method: str
    path: str
    anonymous: int
    tester: int
    annotator: int
    admin: int
    worker_annotator: int  # annotator of the environment `worker` of the assistant `cafe` alone
    data: dict[str, Any] | list[Any] | str = {}

    @property
    def inn_annotator(self) -> int:
        """Annotator of another assistant alone: of this one there is nothing."""
        return 404 if self.path.startswith("/a/cafe/") or self.path == "/a/cafe" else self.worker_annotator


class ByToken(Row):
    """Asked with an API token of the person that holds all permissions: what their grants leave of them."""

    __slots__ = ()

    @property
    def inn_annotator(self) -> int:
        return 404 if re.match(r"/api/projects/cafe(/|$)", self.path) else self.worker_annotator


# fmt: off
EVERYBODY = [
    #                                                   anonymous, tester, annotator, admin, worker_annotator
    Row("GET",  "/healthz",                                       200, 200, 200, 200, 200),
    Row("GET",  "/readyz",                                        200, 200, 200, 200, 200),
    # Neither a token nor an address is set here that opens it; with one: tests/metrics/test_door.py.
    Row("GET",  "/metrics",                                       403, 403, 403, 403, 403),
]

SIGNING_IN = [
    Row("GET",  "/sign-in",                                       200, 200, 200, 200, 200),
    Row("POST", "/sign-in",                                       422, 422, 422, 422, 422),
    Row("GET",  "/sign-in/wrong-secret",                          200, 200, 200, 200, 200),
    Row("POST", "/sign-in/wrong-secret",                          302, 302, 302, 302, 302),
    Row("POST", "/sign-out",                                      302, 302, 302, 302, 302),
    # No single sign-on is set up here; with one: tests/access/test_single_sign_on.py.
    Row("POST", "/auth/realms/rasa-studio/protocol/openid-connect/token", 400, 400, 400, 400, 400),
    Row("POST", "/auth/realms/rasa-studio/protocol/openid-connect/auth/device", 404, 404, 404, 404, 404),
    Row("GET",  "/auth/realms/rasa-studio/.well-known/openid-configuration", 200, 200, 200, 200, 200),
    Row("GET",  "/oidc/begin",                                    404, 404, 404, 404, 404),
    Row("GET",  "/oidc/callback",                                 404, 404, 404, 404, 404),
    Row("POST", "/oidc/back-channel-logout",                      404, 404, 404, 404, 404),
]

DOCUMENTATION = [
    Row("GET",  "/docs/",                                         200, 200, 200, 200, 200),
    Row("GET",  "/docs/promotion",                                200, 200, 200, 200, 200),
]

HOME = [
    Row("GET",  "/",                                              302, 302, 302, 302, 302),
    Row("GET",  "/a/cafe/",                                       302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/waiting",                                302, 200, 200, 200, 200),  # each sees what is theirs
]

ACCOUNT = [
    Row("GET",  "/settings/account",                              302, 200, 200, 200, 200),
    Row("POST", "/settings/account",                              302, 422, 422, 422, 422),
    Row("GET",  "/settings/account/access",                       302, 200, 200, 200, 200),
    Row("GET",  "/settings/account/sessions/end",                 302, 200, 200, 200, 200),
    Row("POST", "/settings/account/sessions/end",                 302, 302, 302, 302, 302),
    # The browser is the tester's: nobody else ends it here, whatever they may do on the people pages.
    Row("GET",  "/settings/account/sessions/{browser}/end",       302, 200, 404, 404, 404),
    Row("POST", "/settings/account/sessions/{browser}/end",       302, 302, 404, 404, 404),
]

# The token `api_token` is the annotator's; those of people are revoked by whoever manages people, and not taken over.
TOKENS = [
    Row("GET",  "/settings/tokens/",                              302, 200, 200, 200, 200),
    Row("GET",  "/settings/tokens/new",                           302, 200, 200, 200, 200),
    Row("POST", "/settings/tokens/new",                           302, 422, 422, 422, 422),
    Row("GET",  "/settings/tokens/{api_token}/revoke",            302, 404, 200, 200, 404),
    Row("POST", "/settings/tokens/{api_token}/revoke",            302, 404, 302, 302, 404),
    Row("GET",  "/settings/tokens/{api_token}/rotate",            302, 404, 200, 404, 404),
    Row("POST", "/settings/tokens/{api_token}/rotate",            302, 404, 422, 404, 404),
    Row("GET",  "/settings/tokens/{service_token}/rotate",        302, 404, 404, 200, 404),
    Row("POST", "/settings/tokens/{service_token}/rotate",        302, 404, 404, 200, 404, {"overlap": "0"}),
    Row("GET",  "/settings/services/",                            302, 403, 403, 200, 403),
    Row("GET",  "/settings/services/new",                         302, 403, 403, 200, 403),
    Row("POST", "/settings/services/new",                         302, 403, 403, 422, 403),
    Row("GET",  "/settings/services/{service}",                   302, 403, 403, 200, 403),
    Row("GET",  "/settings/services/{person}",                    302, 403, 403, 404, 403),
    Row("GET",  "/settings/services/{service}/edit",              302, 403, 403, 200, 403),
    Row("POST", "/settings/services/{service}/edit",              302, 403, 403, 302, 403),
    Row("GET",  "/settings/services/{service}/tokens/new",        302, 403, 403, 200, 403),
    Row("POST", "/settings/services/{service}/tokens/new",        302, 403, 403, 422, 403),
]

PEOPLE = [
    Row("GET",  "/settings/people/",                              302, 403, 403, 200, 403),
    Row("GET",  "/settings/people/new",                           302, 403, 403, 200, 403),
    Row("POST", "/settings/people/new",                           302, 403, 403, 422, 403),
    Row("GET",  "/settings/people/{person}",                      302, 403, 403, 200, 403),
    Row("GET",  "/settings/people/{person}/edit",                 302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/edit",                 302, 403, 403, 302, 403),
    Row("GET",  "/settings/people/{person}/link",                 302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/link",                 302, 403, 403, 200, 403),
    Row("GET",  "/settings/people/{person}/shut-out",             302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/shut-out",             302, 403, 403, 302, 403),
    Row("GET",  "/settings/people/{person}/let-in",               302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/let-in",               302, 403, 403, 302, 403),
    Row("GET",  "/settings/people/{person}/roles/new",            302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/roles/new",            302, 403, 403, 422, 403),
    Row("GET",  "/settings/people/{person}/roles/{grant}/take",   302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/roles/{grant}/take",   302, 403, 403, 302, 403),
    Row("GET",  "/settings/people/{person}/delete",               302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/delete",               302, 403, 403, 422, 403),
    Row("GET",  "/settings/people/{person}/sessions/end",         302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/sessions/end",         302, 403, 403, 302, 403),
    Row("GET",  "/settings/people/{person}/sessions/{browser}/end", 302, 403, 403, 200, 403),
    Row("POST", "/settings/people/{person}/sessions/{browser}/end", 302, 403, 403, 302, 403),
    Row("GET",  "/settings/people/{person}/access",               302, 403, 403, 200, 403),
    Row("GET",  "/settings/access/",                              302, 403, 403, 200, 403),
    Row("GET",  "/settings/grants/",                              302, 403, 403, 200, 403),
    Row("GET",  "/settings/grants/new",                           302, 403, 403, 200, 403),
    Row("POST", "/settings/grants/new",                           302, 403, 403, 422, 403),
    Row("GET",  "/settings/grants/{grant}/take",                  302, 403, 403, 200, 403),
    Row("POST", "/settings/grants/{grant}/take",                  302, 403, 403, 302, 403),
    Row("GET",  "/settings/roles/ready-made/",                    302, 403, 403, 200, 403),
    Row("POST", "/settings/roles/ready-made/",                    302, 403, 403, 302, 403),
    Row("GET",  "/settings/roles/",                               302, 403, 403, 200, 403),
    Row("GET",  "/settings/roles/new/",                           302, 403, 403, 200, 403),
    Row("POST", "/settings/roles/new/",                           302, 403, 403, 422, 403),
    Row("GET",  "/settings/roles/annotator",                      302, 403, 403, 200, 403),
    Row("POST", "/settings/roles/annotator",                      302, 403, 403, 422, 403),
    Row("GET",  "/settings/roles/reader/delete",                  302, 403, 403, 200, 403),
    Row("POST", "/settings/roles/reader/delete",                  302, 403, 403, 302, 403),
]

AUDIT = [
    Row("GET",  "/settings/audit/",                               302, 403, 403, 200, 403),
    Row("GET",  "/settings/audit/{audit_event}",                  302, 403, 403, 200, 403),
    Row("GET",  "/settings/audit/export.csv",                     302, 403, 403, 200, 403),
    Row("GET",  "/settings/audit/export.jsonl",                   302, 403, 403, 200, 403),
]

RASA = [
    Row("GET",  "/rasa/status",                                   302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/rasa/",                     302, 403, 403, 200, 403),
    Row("POST", "/rasa/install",                                  302, 403, 200, 200, 200),
    Row("GET",  "/settings/slots/",                               302, 403, 200, 200, 200),
    Row("GET",  "/settings/slots/{slot}",                         302, 403, 200, 200, 404),
    Row("GET",  "/settings/slots/{slot}/stop",                    302, 403, 200, 200, 404),
    Row("POST", "/settings/slots/{slot}/stop",                    302, 403, 302, 302, 404),
    Row("GET",  "/settings/rasa/",                                302, 403, 403, 200, 403),
    Row("GET",  "/settings/rasa/add",                             302, 403, 403, 200, 403),
    Row("POST", "/settings/rasa/add",                             302, 403, 403, 422, 403),
    Row("POST", "/settings/rasa/{rasa}/install",                  302, 403, 403, 302, 403),
    Row("GET",  "/settings/rasa/{rasa}/remove",                   302, 403, 403, 200, 403),
    Row("POST", "/settings/rasa/{rasa}/remove",                   302, 403, 403, 302, 403),
]

ASSISTANTS = [
    Row("GET",  "/assistants/",                                   302, 200, 200, 200, 200),
    Row("GET",  "/assistants/new",                                302, 403, 403, 200, 403),
    Row("POST", "/assistants/new",                                302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/settings",                               302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/settings",                               302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/settings/training",                      302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/settings/training",                      302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/settings/trying",                        302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/settings/trying",                        302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/settings/models",                        302, 403, 403, 200, 403),
    Row("GET",  "/a/cafe/settings/models/edit",                   302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/settings/models/edit",                   302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/settings/models/switch/on",              302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/settings/models/switch/on",              302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/delete",                                 302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/delete",                                 302, 403, 403, 422, 403),
    Row("GET",  "/a/nowhere/models/",                             302, 404, 404, 404, 404),
]

MODELS = [
    Row("GET",  "/a/cafe/models/",                                302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/models/upload/",                         302, 403, 403, 200, 403),
    Row("PUT",  "/a/cafe/models/upload/new.tar.gz",               302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/models/otter",                           302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/models/otter/tags",                      302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/models/otter/tags",                      302, 404, 403, 422, 403),
    Row("GET",  "/a/cafe/models/otter/keep",                      302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/models/otter/keep",                      302, 404, 403, 302, 403),
    Row("GET",  "/a/cafe/models/otter/delete",                    302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/models/otter/delete",                    302, 404, 403, 302, 403),
    Row("GET",  "/a/cafe/models/otter/compare",                   302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/models/otter/tests",                     302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/models/otter/test",                      302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/models/otter/test",                      302, 404, 403, 302, 403),
    Row("GET",  "/a/cafe/models/otter/download",                  302, 404, 200, 200, 200),
]

DATA = [
    Row("GET",  "/a/cafe/data/",                                  302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/file/domain.yml",                   302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/raw/domain.yml",                    302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/find",                              302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/download",                          302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/since-training",                    302, 403, 302, 302, 302),
    Row("GET",  "/a/cafe/data/revisions/",                        302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/revisions/1",                       302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/revisions/1/restore",               302, 403, 200, 200, 403),
    Row("POST", "/a/cafe/data/revisions/1/restore",               302, 403, 302, 302, 403),
    Row("GET",  "/a/cafe/data/new",                               302, 403, 200, 200, 403),
    Row("POST", "/a/cafe/data/new",                               302, 403, 422, 422, 403),
    Row("GET",  "/a/cafe/data/edit/domain.yml",                   302, 403, 200, 200, 403),
    Row("POST", "/a/cafe/data/edit/domain.yml",                   302, 403, 409, 409, 403),
    Row("GET",  "/a/cafe/data/rename/domain.yml",                 302, 403, 200, 200, 403),
    Row("POST", "/a/cafe/data/rename/domain.yml",                 302, 403, 422, 422, 403),
    Row("GET",  "/a/cafe/data/delete/domain.yml",                 302, 403, 200, 200, 403),
    Row("POST", "/a/cafe/data/delete/domain.yml",                 302, 403, 409, 409, 403),
    Row("GET",  "/a/cafe/data/findings",                          302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/data/validation",                        302, 403, 200, 200, 200),
    Row("POST", "/a/cafe/data/validate",                          302, 403, 302, 302, 403),
    Row("GET",  "/a/cafe/data/upload",                            302, 403, 200, 200, 403),
    Row("PUT",  "/a/cafe/data/upload/file",                       302, 403, 422, 422, 403),
    Row("GET",  "/a/cafe/data/upload/preview",                    302, 403, 302, 302, 403),
    Row("POST", "/a/cafe/data/upload/preview",                    302, 403, 302, 302, 403),
]

TRAINING = [
    Row("GET",  "/a/cafe/training/",                              302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/training/1",                             302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/training/1/live",                        302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/training/1/log",                         302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/training/1/cancel",                      302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/training/1/cancel",                      302, 404, 403, 302, 403),
    Row("GET",  "/a/cafe/train",                                  302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/train",                                  302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/changes",                                302, 403, 200, 200, 200),
]

ENVIRONMENTS = [
    Row("GET",  "/a/cafe/environments/",                          302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/new/",                      302, 403, 200, 200, 403),
    Row("POST", "/a/cafe/environments/new/",                      302, 403, 422, 422, 403),
    Row("GET",  "/a/cafe/environments/running/",                  302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/production",                302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/environments/worker",                    302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/production/edit",           302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/edit",           302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/environments/worker/edit",               302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/production/connect",        302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/worker/connect",            302, 404, 422, 422, 422),
    Row("GET",  "/a/cafe/environments/production/remove",         302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/remove",         302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/environments/production/run-here",       302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/worker/run-here",           302, 404, 302, 302, 302),
    Row("POST", "/a/cafe/environments/production/server/start",   302, 404, 403, 302, 404),
    Row("POST", "/a/cafe/environments/production/server/explode", 302, 404, 403, 404, 404),
    Row("GET",  "/a/cafe/environments/production/log",            302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/environments/production/log/file",       302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/environments/production/completeness",   302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/environments/worker/completeness",       302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/production/completeness/check", 302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/completeness/check", 302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/environments/worker/completeness/check", 302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/environments/production/completeness/{run}", 302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/environments/worker/completeness/{run}", 302, 404, 404, 404, 404),
    Row("GET",  "/a/cafe/environments/production/completeness/{run}/backfill", 302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/completeness/{run}/backfill", 302, 404, 403, 422, 404),
    Row("POST", "/a/cafe/environments/production/completeness/{run}/stop", 302, 404, 403, 302, 404),
    Row("GET",  "/a/cafe/environments/production/completeness/incidents/{incident}", 302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/completeness/incidents/{incident}", 302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/environments/production/completeness/incidents/{other_incident}", 302, 404, 403, 404, 404),
    Row("GET",  "/a/cafe/environments/production/connection",     302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/environments/production/connection/checks", 302, 404, 200, 200, 404),
    Row("POST", "/a/cafe/environments/production/connection/events", 302, 404, 403, 302, 404),
    Row("GET",  "/a/cafe/environments/production/promote",        302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/promote",        302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/environments/production/return",         302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/return",         302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/environments/production/withdraw",       302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/environments/production/withdraw",       302, 404, 403, 422, 404),
    Row("GET",  "/a/cafe/models/otter/promote",                   302, 404, 200, 200, 200),
    Row("POST", "/a/cafe/models/otter/promote",                   302, 404, 422, 422, 422),
    Row("GET",  "/a/cafe/models/otter/promotions",                302, 404, 200, 200, 200),
]

CONVERSATIONS = [
    Row("GET",  "/a/cafe/conversations/",                         302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/conversations/new",                      302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/conversations/count",                    302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/conversations/names",                    302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/conversations/filters/new",              302, 200, 200, 200, 200),
    Row("POST", "/a/cafe/conversations/filters/new",              302, 422, 422, 422, 422),
    # The admin's own, and shared.
    Row("GET",  "/a/cafe/conversations/filters/{filter}/edit",    302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/filters/{filter}/edit",    302, 404, 403, 422, 403),
    Row("GET",  "/a/cafe/conversations/filters/{filter}/delete",  302, 404, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/filters/{filter}/delete",  302, 404, 403, 302, 403),
    Row("GET",  "/a/cafe/conversations/{conversation}",           302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/conversations/{worker_conversation}",    302, 404, 200, 200, 200),
    Row("GET",  "/a/cafe/conversations/{conversation}/events/{event}",       302, 404, 200, 200, 404),
    Row("GET",  "/a/cafe/conversations/{conversation}/events/{event}/panel", 302, 404, 302, 302, 404),
    Row("GET",  "/a/cafe/conversations/{conversation}/story",     302, 404, 200, 200, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/story",     302, 404, 422, 422, 404),
    Row("POST", "/a/cafe/conversations/{worker_conversation}/story", 302, 404, 422, 422, 403),
    Row("GET",  "/a/cafe/conversations/{conversation}/download",  302, 404, 200, 200, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/read",      302, 404, 302, 302, 404),
    Row("POST", "/a/cafe/conversations/{worker_conversation}/review", 302, 404, 302, 302, 302),
    Row("POST", "/a/cafe/conversations/{conversation}/review/undo", 302, 404, 302, 302, 404),
    Row("POST", "/a/cafe/conversations/{worker_conversation}/flag", 302, 404, 302, 302, 302),
    Row("GET",  "/a/cafe/conversations/{conversation}/tag",       302, 404, 200, 200, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/tag",       302, 404, 422, 422, 404),
    Row("GET",  "/a/cafe/conversations/{conversation}/marks/{mark}/note", 302, 404, 200, 200, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/marks/{mark}/note", 302, 404, 302, 302, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/marks/{mark}/remove", 302, 404, 302, 302, 404),
]

# {event} is what `anna` said, which nobody corrected yet.
CORRECTIONS = [
    Row("POST", "/a/cafe/conversations/{conversation}/events/{event}/correct", 302, 404, 302, 302, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/events/{event}/correct/undo", 302, 404, 302, 302, 404),
    Row("GET",  "/a/cafe/examples/",                              302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/examples/note",                          302, 403, 200, 200, 200),
    Row("POST", "/a/cafe/examples/settle",                        302, 403, 302, 302, 403),
    Row("GET",  "/a/cafe/inbox/",                                 302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/inbox/{event}/next",                     302, 403, 200, 200, 404),
    Row("POST", "/a/cafe/inbox/{event}/answer",                   302, 403, 302, 302, 404),
    Row("POST", "/a/cafe/inbox/{event}/undo",                     302, 403, 302, 302, 404),
    Row("POST", "/a/cafe/inbox/{event}/hold",                     302, 403, 204, 204, 404),
    Row("POST", "/a/cafe/inbox/{event}/leave",                    302, 403, 204, 204, 204),
]

ANALYTICS = [
    Row("GET",  "/a/cafe/analytics/",                             302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/analytics/numbers.csv",                  302, 403, 200, 200, 200),
]

# Letters stand in `production` and in `worker`; {dead_run} is the admin's own and still open, so that
# the admin cannot start another.
_UNREADABLE = "/a/cafe/conversations/unreadable"
# Deleting is the admin's; a prepared file is its maker's alone, and the world's is the admin's.
TAKING_OUT = [
    Row("GET",  "/a/cafe/conversations/{conversation}/delete",    302, 404, 403, 200, 404),
    Row("POST", "/a/cafe/conversations/{conversation}/delete",    302, 404, 403, 302, 404),
    Row("GET",  "/a/cafe/conversations/{worker_conversation}/delete", 302, 404, 403, 200, 403),
    Row("GET",  "/a/cafe/conversations/delete",                   302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/delete",                   302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/conversations/deletions/{erasure}",      302, 403, 403, 200, 403),
    Row("GET",  "/a/cafe/conversations/deletions/{erasure}/confirm", 302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/deletions/{erasure}/confirm", 302, 403, 403, 302, 403),
    Row("POST", "/a/cafe/conversations/deletions/{erasure}/stop", 302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/conversations/export",                   302, 403, 200, 200, 200),
    Row("POST", "/a/cafe/conversations/export",                   302, 403, 422, 422, 422),
    Row("GET",  "/a/cafe/conversations/export/file",              302, 403, 302, 302, 302),
    Row("GET",  "/a/cafe/conversations/exports/",                 302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/conversations/exports/{export}",         302, 403, 404, 200, 404),
    Row("GET",  "/a/cafe/conversations/exports/{export}/file",    302, 403, 404, 404, 404),
    Row("POST", "/a/cafe/conversations/exports/{export}/cancel",  302, 403, 404, 302, 404),
    Row("GET",  "/a/cafe/conversations/retention/",               302, 403, 403, 200, 403),
    Row("GET",  "/a/cafe/conversations/retention/new",            302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/retention/new",            302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/conversations/retention/{rule}/edit",    302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/retention/{rule}/edit",    302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/conversations/retention/{rule}/switch/on", 302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/retention/{rule}/switch/on", 302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/conversations/retention/{rule}/remove",  302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/retention/{rule}/remove",  302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/conversations/retention/{rule}/dry-run", 302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/conversations/retention/{rule}/dry-run", 302, 403, 403, 302, 403),
]

DEAD_LETTERS = [
    Row("GET",  f"{_UNREADABLE}/",                                302, 403, 200, 200, 200),
    Row("GET",  f"{_UNREADABLE}/cause/not-json/",                 302, 403, 200, 200, 200),
    Row("GET",  f"{_UNREADABLE}/cause/not-json/retry",            302, 403, 200, 200, 200),
    Row("POST", f"{_UNREADABLE}/cause/not-json/retry",            302, 403, 302, 422, 302),
    Row("GET",  f"{_UNREADABLE}/cause/not-json/discard",          302, 403, 200, 200, 200),
    Row("POST", f"{_UNREADABLE}/cause/not-json/discard",          302, 403, 422, 422, 422),
    Row("POST", f"{_UNREADABLE}/runs/{{dead_run}}/stop",          302, 403, 302, 302, 404),
    Row("GET",  f"{_UNREADABLE}/{{dead_letter}}",                 302, 404, 200, 200, 404),
    Row("GET",  f"{_UNREADABLE}/{{worker_dead_letter}}",          302, 404, 200, 200, 200),
    Row("GET",  f"{_UNREADABLE}/{{dead_letter}}/record",          302, 404, 200, 200, 404),
    Row("POST", f"{_UNREADABLE}/{{dead_letter}}/retry",           302, 404, 302, 302, 404),
    Row("GET",  f"{_UNREADABLE}/{{dead_letter}}/edit",            302, 404, 200, 200, 404),
    Row("POST", f"{_UNREADABLE}/{{dead_letter}}/edit",            302, 404, 422, 422, 404),
    Row("GET",  f"{_UNREADABLE}/{{dead_letter}}/discard",         302, 404, 200, 200, 404),
    Row("POST", f"{_UNREADABLE}/{{dead_letter}}/discard",         302, 404, 422, 422, 404),
]

# Sources bring events of all environments: whoever sees one environment alone does not see them.
INTAKE = [
    Row("GET",  "/a/cafe/intake/",                                302, 403, 200, 200, 403),
    Row("GET",  "/a/cafe/intake/unknown",                         302, 403, 200, 200, 403),
    Row("GET",  "/a/cafe/intake/stale",                           302, 403, 200, 200, 403),
    Row("GET",  "/a/cafe/intake/new",                             302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/new",                             302, 403, 403, 422, 403),
    Row("POST", "/a/cafe/intake/test",                            302, 403, 403, 200, 403),
    Row("GET",  "/a/cafe/intake/adopt",                           302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/adopt",                           302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/intake/{source}",                        302, 403, 200, 200, 403),
    Row("GET",  "/a/cafe/intake/{source}/edit",                   302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/{source}/edit",                   302, 403, 403, 422, 403),
    Row("POST", "/a/cafe/intake/{source}/test",                   302, 403, 403, 200, 403, {"servers": ""}),
    Row("GET",  "/a/cafe/intake/{source}/switch/off",             302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/{source}/switch/off",             302, 403, 403, 302, 403),
    Row("GET",  "/a/cafe/intake/{source}/remove",                 302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/{source}/remove",                 302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/intake/{source}/alarm/keep",             302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/{source}/alarm/keep",             302, 403, 403, 422, 403),
    Row("GET",  "/a/cafe/intake/{source}/incidents/{incident}",   302, 403, 403, 200, 403),
    Row("POST", "/a/cafe/intake/{source}/incidents/{incident}",   302, 403, 403, 422, 403),
]

TALK = [
    Row("GET",  "/a/cafe/talk/",                                  302, 302, 302, 302, 302),
    Row("GET",  "/a/cafe/talk/production/",                       302, 200, 200, 200, 404),
    Row("GET",  "/a/cafe/talk/worker/",                           302, 200, 200, 200, 200),
    Row("GET",  "/a/cafe/talk/production/server",                 302, 200, 200, 200, 404),
    Row("POST", "/a/cafe/talk/production/say",                    302, 422, 422, 422, 404),
    Row("GET",  "/a/cafe/talk/production/{talk}",                 302, 404, 200, 404, 404),
    Row("POST", "/a/cafe/talk/production/{talk}/say",             302, 404, 503, 404, 404, {"text": "hi"}),
    Row("GET",  "/a/cafe/talk/production/{talk}/news",            302, 404, 200, 404, 404),
    # A model belongs to no environment: whoever holds one of these alone cannot try it.
    Row("GET",  "/a/cafe/try/otter/",                             302, 404, 200, 200, 403),
    Row("POST", "/a/cafe/try/otter/say",                          302, 404, 422, 422, 403),
    Row("GET",  "/a/cafe/try/otter/slot",                         302, 404, 200, 200, 403),
    Row("POST", "/a/cafe/try/otter/slot",                         302, 404, 200, 200, 403),
    Row("POST", "/a/cafe/try/otter/slot/stop",                    302, 404, 200, 200, 403),
    Row("GET",  "/a/cafe/try/otter/{trial}",                      302, 404, 200, 404, 403),
    Row("POST", "/a/cafe/try/otter/{trial}/say",                  302, 404, 202, 404, 403, {"text": "hi"}),
    Row("GET",  "/a/cafe/try/otter/{trial}/news",                 302, 404, 200, 404, 403),
    Row("GET",  "/a/cafe/try/otter/{trial}/why",                  302, 404, 200, 404, 403),
    Row("GET",  "/a/cafe/try/otter/{trial}/actions",              302, 404, 204, 404, 403),
    Row("POST", "/a/cafe/try/otter/{trial}/rewind",               302, 404, 409, 404, 403),
    Row("GET",  "/a/cafe/talk/production/{talk}/why",             302, 404, 200, 404, 404),
    Row("GET",  "/a/cafe/talk/production/{talk}/actions",         302, 404, 204, 404, 404),
    Row("POST", "/a/cafe/talk/production/{talk}/rewind",          302, 404, 409, 404, 404),
    Row("GET",  "/a/cafe/talk/compare",                           302, 200, 200, 200, 200),
]

SHARE = [
    Row("GET",  "/a/cafe/share/",                                 302, 403, 200, 200, 200),
    Row("GET",  "/a/cafe/share/new",                              302, 403, 200, 200, 200),
    Row("POST", "/a/cafe/share/new",                              302, 403, 422, 422, 422, {"name": ""}),
    Row("GET",  "/a/cafe/share/{link}",                           302, 403, 200, 200, 404),
    Row("GET",  "/a/cafe/share/{link}/qr.svg",                    302, 403, 200, 200, 404),
    Row("GET",  "/a/cafe/share/{link}/qr.png",                    302, 403, 200, 200, 404),
    Row("GET",  "/a/cafe/share/{link}/edit",                      302, 403, 200, 200, 404),
    Row("POST", "/a/cafe/share/{link}/edit",                      302, 403, 422, 422, 404, {"name": ""}),
    Row("GET",  "/a/cafe/share/{link}/revoke",                    302, 403, 200, 200, 404),
    Row("POST", "/a/cafe/share/{link}/revoke",                    302, 403, 302, 302, 404),
    Row("GET",  "/s/{code}",                                      200, 200, 200, 200, 200),
    Row("GET",  "/s/no-such-code",                                404, 404, 404, 404, 404),
    Row("POST", "/s/{code}/say",                                  422, 422, 422, 422, 422),
    Row("GET",  "/s/{code}/news",                                 410, 410, 410, 410, 410),
    Row("POST", "/s/{code}/again",                                302, 302, 302, 302, 302),
    Row("POST", "/s/{code}/hello",                                200, 200, 200, 200, 200),
    Row("POST", "/s/{code}/password",                             302, 302, 302, 302, 302),
    Row("POST", "/s/{code}/rate",                                 410, 410, 410, 410, 410),
    Row("GET",  "/s/{code}/style.css",                            200, 200, 200, 200, 200),
    Row("GET",  "/share/{code}/widget.js",                        200, 200, 200, 200, 200),
    Row("GET",  "/share/{code}/chat",                             200, 200, 200, 200, 200),
    Row("POST", "/share/{code}/open",                             200, 200, 200, 200, 200),
    Row("POST", "/share/{code}/say",                              422, 422, 422, 422, 422),
    Row("GET",  "/share/{code}/news",                             410, 410, 410, 410, 410),
    Row("POST", "/share/{code}/rate",                             410, 410, 410, 410, 410),
    Row("POST", "/share/{code}/again",                            200, 200, 200, 200, 200),
    Row("POST", "/share/{code}/password",                         200, 200, 200, 200, 200),
]

# Rasa servers show tokens; being signed in is worth nothing here. What tokens open: tests/environments/.
SERVERS = [
    Row("POST", "/api/auth/jwt",                                  422, 422, 422, 422, 422, "{}"),
    *(Row(method, "/api/",                                        404, 404, 404, 404, 404)
      for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    *(Row(method, "/api",                                         404, 404, 404, 404, 404)
      for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    Row("GET",  "/api/docs",                                      200, 200, 200, 200, 200),
    Row("GET",  "/api/openapi.json",                              200, 200, 200, 200, 200),
    Row("POST", "/api/graphql/",                                  200, 200, 200, 200, 200),
    Row("POST", "/api/auth",                                      422, 422, 422, 422, 422, "{}"),
    Row("GET",  "/api/sign-in-ways",                              200, 200, 200, 200, 200),
    Row("GET",  "/api/version",                                   200, 200, 200, 200, 200),
    Row("GET",  "/api/health",                                    200, 200, 200, 200, 200),
    Row("GET",  "/api/projects/cafe/environments/worker/version", 200, 200, 200, 200, 200),
]

# The operators' pages: every table alike, nothing but GET. Opening a row that is not there leads back to the list.
OPERATORS = [
    Row("GET",  "/admin/",                                        302, 403, 403, 200, 403),
    Row("GET",  "/admin/jsi18n/",                                 302, 403, 403, 200, 403),
    *(Row("GET", f"/admin/{label}/",                              302, 403, 403, 200, 403)
      for label in sorted({model._meta.app_label for model in admin.site._registry})),
    *(Row("GET", f"/admin/{model._meta.label_lower.replace('.', '/')}/{rest}", 302, 403, 403, status, 403)
      for model in admin.site._registry for rest, status in (("", 200), ("0/", 302))),
]

_TALKS = {"name": "build", "permissions": ["talk"]}  # everywhere

# Asked with a token of each person. The assistant `default` has one of nothing, and only who holds a role everywhere
# sees it.
API_BY_TOKEN = [
    # Who one is.
    ByToken("GET",  "/api/user",                                  401, 200, 200, 200, 200),

    ByToken("PUT",  "/api/user/password",                         401, 409, 409, 409, 409, {"current": "x", "new": "y"}),
    ByToken("GET",  "/api/user/sessions",                         401, 200, 200, 200, 200),
    ByToken("DELETE", "/api/user/sessions",                       401, 204, 204, 204, 204),
    ByToken("DELETE", "/api/user/sessions/{browser}",             401, 204, 404, 404, 404),
    ByToken("GET",  "/api/user/tokens",                           401, 200, 200, 200, 200),
    ByToken("POST", "/api/user/tokens",                           401, 201, 201, 201, 403, _TALKS),
    ByToken("GET",  "/api/user/access",                           401, 200, 200, 200, 200),

    # People, roles, grants, tokens. The token of a person is the annotator's.
    ByToken("GET",  "/api/users",                                 401, 403, 403, 200, 403),
    ByToken("POST", "/api/users",                                 401, 403, 403, 201, 403, {"username": "new", "role": "tester"}),
    ByToken("GET",  "/api/users/tester",                          401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/users/tester",                          401, 403, 403, 200, 403, {"name": "Tess"}),
    ByToken("DELETE", "/api/users/tester",                        401, 403, 403, 204, 403),
    ByToken("PUT",  "/api/users/tester/active",                   401, 403, 403, 200, 403, {"active": False}),
    ByToken("GET",  "/api/users/tester/roles",                    401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/users/tester/roles",                    401, 403, 403, 200, 403, ["annotator"]),
    ByToken("POST", "/api/users/tester/sign-in-links",            401, 403, 403, 201, 403),
    ByToken("GET",  "/api/users/tester/sessions",                 401, 403, 403, 200, 403),
    ByToken("DELETE", "/api/users/tester/sessions",               401, 403, 403, 204, 403),
    ByToken("DELETE", "/api/users/tester/sessions/{browser}",     401, 403, 403, 204, 403),
    ByToken("GET",  "/api/users/tester/access",                   401, 403, 403, 200, 403),
    ByToken("GET",  "/api/users/nightly-build/tokens",            401, 403, 403, 200, 403),
    ByToken("POST", "/api/users/nightly-build/tokens",            401, 403, 403, 201, 403, _TALKS),
    ByToken("GET",  "/api/access",                                401, 403, 403, 200, 403),
    ByToken("GET",  "/api/roles",                                 401, 403, 403, 200, 403),
    ByToken("POST", "/api/roles",                                 401, 403, 403, 201, 403, {"role": "new", "grants": []}),
    ByToken("GET",  "/api/roles/reader",                          401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/roles/reader",                          401, 403, 403, 200, 403, {"description": "Reads."}),
    ByToken("DELETE", "/api/roles/reader",                        401, 403, 403, 204, 403),
    ByToken("GET",  "/api/roles/reader/users",                    401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/roles/reader/users",                    401, 403, 403, 204, 403, ["tester"]),
    ByToken("GET",  "/api/ready-made-roles",                      401, 403, 403, 200, 403),
    ByToken("POST", "/api/ready-made-roles",                      401, 403, 403, 201, 403, {"role": "nlu-editor"}),
    ByToken("GET",  "/api/grants",                                401, 403, 403, 200, 403),
    ByToken("POST", "/api/grants",                                401, 403, 403, 201, 403, {"role": "tester", "group": "staff"}),
    ByToken("DELETE", "/api/grants/{grant}",                      401, 403, 403, 204, 403),
    ByToken("GET",  "/api/services",                              401, 403, 403, 200, 403),
    ByToken("POST", "/api/services",                              401, 403, 403, 201, 403, {"username": "robot"}),
    ByToken("GET",  "/api/services/nightly-build",                401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/services/nightly-build",                401, 403, 403, 200, 403, {"description": "Builds."}),
    ByToken("GET",  "/api/tokens/{api_token_key}",                401, 404, 200, 200, 404),
    ByToken("DELETE", "/api/tokens/{api_token_key}",              401, 404, 204, 204, 404),
    ByToken("POST", "/api/tokens/{api_token_key}/rotate",         401, 404, 201, 404, 404),

    ByToken("GET",  "/api/audit",                                 401, 403, 403, 200, 403),
    ByToken("GET",  "/api/audit/file",                            401, 403, 403, 200, 403),
    ByToken("GET",  "/api/audit/{audit_event}",                   401, 403, 403, 200, 403),

    # Assistants.
    ByToken("GET",  "/api/projects",                              401, 200, 200, 200, 200),
    ByToken("POST", "/api/projects",                              401, 403, 403, 201, 403, {"name": "new", "title": "New"}),
    ByToken("GET",  "/api/projects/cafe",                         401, 200, 200, 200, 200),
    ByToken("PUT",  "/api/projects/cafe",                         401, 403, 403, 200, 403, {"title": "Tea"}),
    ByToken("DELETE", "/api/projects/cafe",                       401, 403, 403, 204, 403),

    # Environments.
    ByToken("GET",  "/api/environments",                          401, 403, 200, 200, 404),
    ByToken("PUT",  "/api/environments",                          401, 403, 403, 201, 404, [{"name": "production", "url": "http://rasa:5005", "token": ""}]),
    ByToken("GET",  "/api/projects/cafe/environments",            401, 403, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/environments",            401, 403, 201, 201, 403, {"name": "new"}),
    ByToken("GET",  "/api/projects/cafe/environments/production", 401, 404, 200, 200, 404),
    ByToken("GET",  "/api/projects/cafe/environments/worker",     401, 404, 200, 200, 200),
    ByToken("PUT",  "/api/projects/cafe/environments/production", 401, 404, 403, 200, 404, {"name": "live"}),
    ByToken("PUT",  "/api/projects/cafe/environments/worker",     401, 404, 200, 200, 200, {"name": "staging"}),
    ByToken("DELETE", "/api/projects/cafe/environments/production", 401, 404, 403, 204, 404),
    ByToken("DELETE", "/api/projects/cafe/environments/worker",   401, 404, 204, 204, 204),
    ByToken("GET",  "/api/projects/cafe/environments/production/replicas", 401, 404, 200, 200, 404),
    ByToken("GET",  "/api/projects/cafe/environments/production/checks", 401, 404, 200, 200, 404),
    ByToken("GET",  "/api/projects/cafe/environments/production/connection", 401, 404, 200, 200, 404),
    ByToken("GET",  "/api/projects/cafe/environments/production/endpoints.yml", 401, 404, 200, 200, 404),
    ByToken("GET",  "/api/projects/cafe/environments/production/credentials.yml", 401, 404, 200, 200, 404),
    ByToken("POST", "/api/projects/cafe/environments/production/event-table", 401, 404, 403, 200, 404),
    ByToken("POST", "/api/projects/cafe/environments/production/server/start", 401, 404, 403, 409, 404),
    ByToken("POST", "/api/projects/cafe/environments/worker/server/start", 401, 404, 409, 409, 409),
    ByToken("GET",  "/api/projects/cafe/environments/production/server/log", 401, 404, 200, 200, 404),

    # Promotions.
    ByToken("GET",  "/api/projects/cafe/promotions",              401, 403, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/environments/production/promotions", 401, 404, 200, 200, 404),
    ByToken("POST", "/api/projects/cafe/environments/production/promotions", 401, 404, 403, 201, 404, {"model": "otter"}),
    ByToken("POST", "/api/projects/cafe/environments/worker/promotions", 401, 404, 201, 201, 201, {"model": "otter"}),
    ByToken("GET",  "/api/projects/cafe/environments/production/promotions/1", 401, 404, 404, 404, 404),
    ByToken("POST", "/api/projects/cafe/environments/production/rollback", 401, 404, 403, 409, 404),
    ByToken("GET",  "/api/projects/cafe/status",                  401, 403, 200, 200, 200),
    ByToken("GET",  "/api/status",                                401, 403, 200, 200, 200),

    # Slots.
    ByToken("GET",  "/api/projects/cafe/models/otter/try",        401, 404, 200, 200, 403),
    ByToken("POST", "/api/projects/cafe/models/otter/try",        401, 404, 202, 202, 403),
    ByToken("DELETE", "/api/projects/cafe/models/otter/try",      401, 404, 204, 204, 403),
    ByToken("GET",  "/api/slots",                                 401, 403, 200, 200, 200),
    ByToken("GET",  "/api/slots/{slot}",                          401, 403, 200, 200, 404),
    ByToken("DELETE", "/api/slots/{slot}",                        401, 403, 204, 204, 404),
    ByToken("GET",  "/api/projects/cafe/settings/trying",         401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/projects/cafe/settings/trying",         401, 403, 403, 200, 403, {"start_after_training": False}),

    # What Rasa Enterprise's clients ask.
    ByToken("GET",  "/api/config",                                401, 200, 200, 200, 200),
    ByToken("GET",  "/api/license",                               401, 200, 200, 200, 200),
    ByToken("POST", "/api/license",                               401, 201, 201, 201, 201, {"license": "x"}),
    ByToken("DELETE", "/api/license",                             401, 204, 204, 204, 204),

    # Tags.
    ByToken("GET",  "/api/projects/cafe/tags",                    401, 403, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/models/tags/production",  401, 403, 204, 204, 404),
    ByToken("GET",  "/api/models/tags/production",                401, 403, 204, 204, 404),
    ByToken("PUT",  "/api/projects/cafe/models/otter/tags/mine",  401, 404, 403, 204, 403),
    ByToken("PUT",  "/api/projects/cafe/models/otter/tags/production", 401, 404, 403, 204, 403),
    ByToken("PUT",  "/api/projects/cafe/models/otter/tags/worker", 401, 404, 204, 204, 204),
    ByToken("DELETE", "/api/projects/cafe/models/otter/tags/mine", 401, 404, 403, 404, 403),

    # Models.
    ByToken("GET",  "/api/projects/cafe/models",                  401, 403, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/models",                  401, 403, 403, 404, 403),
    ByToken("GET",  "/api/projects/cafe/models/otter",            401, 404, 200, 200, 200),
    ByToken("PUT",  "/api/projects/cafe/models/otter",            401, 403, 403, 409, 403),
    ByToken("DELETE", "/api/projects/cafe/models/otter",          401, 404, 403, 204, 403),
    ByToken("GET",  "/api/projects/cafe/models/otter/about",      401, 404, 200, 200, 200),
    ByToken("PUT",  "/api/projects/cafe/models/otter/keep",       401, 404, 403, 204, 403, {"reason": "the fair"}),
    ByToken("DELETE", "/api/projects/cafe/models/otter/keep",     401, 404, 403, 204, 403),
    ByToken("GET",  "/api/projects/cafe/models/otter/tests",      401, 404, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/models/otter/tests",      401, 404, 403, 202, 403),
    ByToken("GET",  "/api/projects/cafe/model-retention",         401, 403, 403, 200, 403),
    ByToken("PUT",  "/api/projects/cafe/model-retention",         401, 403, 403, 200, 403, {"newest": 9, "is_on": True}),
    ByToken("GET",  "/api/projects/cafe/model-retention/plan",    401, 403, 403, 200, 403),
    ByToken("POST", "/api/projects/cafe/uploads",                 401, 403, 403, 422, 403, {"name": "x.zip", "size": 1, "sha256": "0" * 64}),
    ByToken("GET",  "/api/projects/cafe/uploads/none",            401, 403, 403, 404, 403),
    ByToken("PATCH", "/api/projects/cafe/uploads/none",           401, 403, 403, 404, 403),
    ByToken("DELETE", "/api/projects/cafe/uploads/none",          401, 403, 403, 404, 403),

    # Trainings.
    ByToken("POST", "/api/projects/cafe/models/jobs",             401, 403, 403, 409, 403),
    ByToken("GET",  "/api/projects/cafe/training",                401, 403, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/training",                401, 403, 403, 409, 403),
    ByToken("GET",  "/api/projects/cafe/training/1",              401, 404, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/training/1/log",          401, 404, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/training/1/log.txt",      401, 404, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/training/1/cancel",       401, 404, 403, 202, 403),
    ByToken("GET",  "/api/projects/cafe/training/1/tests",        401, 404, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/training-settings",       401, 403, 200, 200, 200),
    ByToken("PUT",  "/api/projects/cafe/training-settings",       401, 403, 403, 200, 403, {"test_after": True}),

    # Training data.
    ByToken("GET",  "/api/projects/cafe/data",                    401, 403, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/data/revisions",          401, 403, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/data/revisions",          401, 403, 201, 201, 403, {"base": 1, "files": {"a.md": "x"}}),
    ByToken("GET",  "/api/projects/cafe/data/revisions/1",        401, 403, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/data/revisions/1/changes", 401, 403, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/data/revisions/1/restore", 401, 403, 200, 200, 403),
    ByToken("POST", "/api/projects/cafe/data/revisions/1/validate", 401, 403, 202, 202, 403),
    ByToken("GET",  "/api/projects/cafe/data/revisions/1/validation", 401, 403, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/data/files/domain.yml",   401, 403, 200, 200, 200),
    ByToken("GET",  "/api/projects/cafe/data/archive",            401, 403, 200, 200, 200),
    ByToken("POST", "/api/projects/cafe/data/archive",            401, 403, 422, 422, 403),

    # Rasa versions.
    ByToken("GET",  "/api/rasa/versions",                         401, 403, 403, 200, 403),
    ByToken("POST", "/api/rasa/versions",                         401, 403, 403, 422, 403, {"version": "four"}),
    ByToken("GET",  "/api/rasa/versions/{rasa}",                  401, 403, 403, 200, 403),
    ByToken("DELETE", "/api/rasa/versions/{rasa}",                401, 403, 403, 202, 403),
    ByToken("POST", "/api/rasa/versions/{rasa}/install",          401, 403, 403, 202, 403),

    *(ByToken(*row) for row in CONVERSATIONS_BY_TOKEN),
]

# The same with a browser's session, which counts for nothing there.
API = [Row(row.method, row.path, 401, 401, 401, 401, 401) for row in API_BY_TOKEN]
# fmt: on

ROWS: list[Row] = [
    *EVERYBODY,
    *DOCUMENTATION,
    *HOME,
    *SIGNING_IN,
    *ACCOUNT,
    *TOKENS,
    *PEOPLE,
    *AUDIT,
    *RASA,
    *ASSISTANTS,
    *MODELS,
    *DATA,
    *TRAINING,
    *ENVIRONMENTS,
    *CONVERSATIONS,
    *CORRECTIONS,
    *ANALYTICS,
    *TAKING_OUT,
    *DEAD_LETTERS,
    *INTAKE,
    *TALK,
    *SHARE,
    *SERVERS,
    *OPERATORS,
    *API,
]
