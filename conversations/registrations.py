"""What this app adds to the house: entries of the navigation, a health part, periodic work, what environments ask."""

from conversations import metrics
from conversations.chat import guests, links
from conversations.chat.sessions import others_speak
from conversations.services import (
    adoption,
    arrivals,
    completeness,
    dead_letter_runs,
    dead_letters,
    erasing,
    erasure_runs,
    export_runs,
    inbox,
    indexing,
    intake_health,
    ratings,
    rebuild,
    retention,
    slot_logs,
    tallies,
)
from environments.services import speakers
from environments.services.arrivals import provide, provide_brokers
from models_app.services import models
from studio import doctor, health
from studio.access.permissions import Permission
from studio.jobs import schedule
from studio.web.navigation import Entry
from studio.web.navigation import register as add_to_navigation

_ENTRIES = (
    Entry(
        key="home",
        label="Home",
        icon="home",
        url_name="conversations:home",
        order=10,
        per_assistant=True,
        shortcut="h",
        match=("conversations:home",),
    ),
    Entry(
        key="conversations",
        label="Conversations",
        icon="chat-bubble-left",
        url_name="conversations:list",
        order=60,
        per_assistant=True,
        shortcut="c",
        match=(
            "conversations:list",
            "conversations:detail",
            "conversations:dead",
            "conversations:retention",
            "conversations:erasure",
            "conversations:exports",
            "conversations:export-run",
        ),
    ),
    Entry(
        key="inbox",
        label="Inbox",
        icon="inbox",
        url_name="conversations:inbox",
        order=65,
        permission=Permission.CONVERSATIONS_FLAG,
        per_assistant=True,
        shortcut="i",
        match=("conversations:inbox",),
    ),
    Entry(
        key="analytics",
        label="Analytics",
        icon="chart-bar",
        url_name="conversations:analytics",
        order=70,
        permission=Permission.ANALYTICS_VIEW,
        per_assistant=True,
        shortcut="a",
        match=("conversations:analytics",),
    ),
    Entry(
        key="talk",
        label="Talk",
        icon="chat-bubble-left-right",
        url_name="conversations:talk",
        order=80,
        permission=Permission.TALK,
        per_assistant=True,
        shortcut="k",
        match=("conversations:talk",),
    ),
    Entry(
        key="share",
        label="Share",
        icon="share",
        url_name="conversations:share",
        order=90,
        permission=Permission.SHARE,
        per_assistant=True,
        shortcut="s",
        match=("conversations:share", "conversations:share-link"),
    ),
)


def register() -> None:
    models.guard(links.reasons_to_keep)
    for entry in _ENTRIES:
        add_to_navigation(entry)
    provide(arrivals.arrivals)
    provide_brokers(arrivals.brokers)
    speakers.provide(others_speak)
    health.register("ingest", intake_health.ingest_part)
    metrics.register()
    doctor.register("kafka", "conversations.examinations.kafka")
    schedule.every(30, dead_letter_runs.queue_stale_runs, name="go on with letters that nobody works on")
    schedule.every(600, dead_letters.delete_handled, name="delete letters that were handled long ago")
    schedule.every(60, rebuild.mark_own_conversations, name="mark our own conversations")
    schedule.every(30, indexing.index_missing, name="index conversations that were stored before there was an index")
    schedule.every(10, adoption.move_adopted, name="move conversations to who adopted them")
    schedule.every(10, tallies.settle, name="add up what was counted")
    schedule.every(10, tallies.count_waiting, name="count conversations that were stored before")
    schedule.every(30, completeness.resume, name="queue completeness checks that nobody works on")
    schedule.every(10, ratings.settle_waiting, name="tie ratings to the replies that have arrived")
    schedule.every(3600, guests.sweep, name="forget guests who only looked, long ago")
    schedule.every(600, inbox.sweep, name="sweep leases of messages")
    schedule.every(600, completeness.request_nightly, name="begin the nightly completeness checks")
    schedule.every(20, erasure_runs.resume, name="queue deletions that nobody works on")
    schedule.every(3600, erasure_runs.drop_unconfirmed, name="drop deletions that were never confirmed")
    schedule.every(600, retention.request_nightly, name="begin the deletions of retention rules")
    schedule.every(20, export_runs.resume, name="queue exports that nobody works on")
    schedule.every(600, export_runs.sweep, name="delete exports that have expired")
    erasing.also_forget(export_runs.expire_containing)
    erasing.also_forget(tallies.forget)
    erasing.also_forget(slot_logs.forget)
    erasing.also_forget(indexing.forget_terms)
