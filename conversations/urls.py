"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path

from conversations.views import dead_letter_runs, dead_letters, guest, handle_letter, home, lists, pages, share, talk

app_name = "conversations"
_UNREADABLE = "a/<str:slug>/conversations/unreadable"
_CAUSE = f"{_UNREADABLE}/cause/<slug:fault>"
urlpatterns: list[URLPattern | URLResolver] = [
    path("a/<str:slug>/", home.home, name="home"),
    path("a/<str:slug>/conversations/", lists.conversation_list, name="list"),
    path("a/<str:slug>/conversations/new", lists.new_conversations, name="new"),
    path("a/<str:slug>/conversations/<int:pk>", pages.conversation_page, name="detail"),
    path("a/<str:slug>/conversations/<int:pk>/events/<int:event_pk>", pages.event_json, name="event"),
    path("a/<str:slug>/conversations/<int:pk>/events/<int:event_pk>/panel", pages.message_panel, name="panel"),
    path(f"{_UNREADABLE}/", dead_letters.cause_list, name="dead"),
    path(f"{_CAUSE}/", dead_letters.letter_list, name="dead-cause"),
    path(f"{_CAUSE}/retry", dead_letter_runs.retry_all, name="dead-retry-all"),
    path(f"{_CAUSE}/discard", dead_letter_runs.discard_all, name="dead-discard-all"),
    path(f"{_UNREADABLE}/runs/<int:pk>/stop", dead_letter_runs.stop, name="dead-run-stop"),
    path(f"{_UNREADABLE}/<int:pk>", dead_letters.letter_page, name="dead-letter"),
    path(f"{_UNREADABLE}/<int:pk>/record", dead_letters.record_file, name="dead-letter-record"),
    path(f"{_UNREADABLE}/<int:pk>/retry", handle_letter.retry, name="dead-letter-retry"),
    path(f"{_UNREADABLE}/<int:pk>/edit", handle_letter.edit, name="dead-letter-edit"),
    path(f"{_UNREADABLE}/<int:pk>/discard", handle_letter.discard, name="dead-letter-discard"),
    path("a/<str:slug>/talk/", talk.talk, name="talk"),
    path("a/<str:slug>/talk/<str:name>/", talk.talk_page, name="talk-in"),
    path("a/<str:slug>/talk/<str:name>/say", talk.say_something, name="talk-say-first"),
    path("a/<str:slug>/talk/<str:name>/server", talk.server_state, name="talk-server"),
    path("a/<str:slug>/talk/<str:name>/<str:sender>", talk.talk_page, name="talk-with"),
    path("a/<str:slug>/talk/<str:name>/<str:sender>/say", talk.say_something, name="talk-say"),
    path("a/<str:slug>/talk/<str:name>/<str:sender>/news", talk.news, name="talk-news"),
    path("a/<str:slug>/share/", share.share, name="share"),
    path("a/<str:slug>/share/new", share.new_link, name="share-new"),
    path("a/<str:slug>/share/<int:pk>/edit", share.edit_link, name="share-edit"),
    path("a/<str:slug>/share/<int:pk>/revoke", share.revoke, name="share-revoke"),
    path("s/<str:code>", guest.guest, name="guest"),
    path("s/<str:code>/say", guest.guest_say, name="guest-say"),
    path("s/<str:code>/news", guest.guest_news, name="guest-news"),
    path("s/<str:code>/again", guest.guest_again, name="guest-again"),
]
