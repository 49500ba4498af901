"""What programs may do with conversations: read, review, talk, share, take out, erase, and how events come in."""

from ninja import Router

from conversations.api.analytics import router as analytics
from conversations.api.chat import router as chat
from conversations.api.chat_token import router as chat_token
from conversations.api.completeness import router as completeness
from conversations.api.conversations import router as conversations
from conversations.api.dead_letters import router as dead_letters
from conversations.api.deletions import router as deletions
from conversations.api.exports import router as exports
from conversations.api.guests import router as guests
from conversations.api.inbox import router as inbox
from conversations.api.intake import router as intake
from conversations.api.marks import router as marks
from conversations.api.messages import router as messages
from conversations.api.names import router as names
from conversations.api.saved_filters import router as saved_filters
from conversations.api.share import router as share
from conversations.api.stories import router as stories
from conversations.api.trackers import router as trackers

# A sender_id may hold any characters, also a slash: what stands below a conversation comes before the conversation.
ABOVE = (chat, guests, chat_token, share, names, exports, analytics, deletions, intake, dead_letters, completeness)
OF_CONVERSATIONS = (conversations, saved_filters, messages, marks, inbox, stories, trackers)

router = Router()
for part in (*ABOVE, *OF_CONVERSATIONS):
    router.add_router("", part)
