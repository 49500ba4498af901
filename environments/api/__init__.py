"""What programs may do with assistants, environments, promotions and Rasa servers."""

from ninja import Router

from environments.api.assistants import router as assistants
from environments.api.environments import router as environments
from environments.api.tags import router as tags

router = Router()
router.add_router("", assistants)
router.add_router("", environments)
router.add_router("", tags)
