"""What programs may do with models, training data and trainings."""

from ninja import Router

from models_app.api.models import router as models

router = Router()
router.add_router("", models)
