"""What programs may do with assistants, environments, promotions and Rasa servers."""

from ninja import Router

from environments.api import assistants, environments, promotions, servers, slots, status, tags

router = Router()
for _noun in (assistants, environments, servers, promotions, tags, slots, status):
    router.add_router("", _noun.router)
