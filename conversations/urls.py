"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path

from conversations.views import home, lists, pages

app_name = "conversations"
urlpatterns: list[URLPattern | URLResolver] = [
    path("a/<str:slug>/", home.home, name="home"),
    path("a/<str:slug>/conversations/", lists.conversation_list, name="list"),
    path("a/<str:slug>/conversations/new", lists.new_conversations, name="new"),
    path("a/<str:slug>/conversations/<int:pk>", pages.conversation_page, name="detail"),
    path("a/<str:slug>/conversations/<int:pk>/events/<int:event_pk>", pages.event_json, name="event"),
    path("a/<str:slug>/conversations/<int:pk>/events/<int:event_pk>/panel", pages.message_panel, name="panel"),
]
