"""What programs may do with models, training data and trainings."""

from ninja import Router

from models_app.api.models import router as models
from models_app.api.testing import router as testing
from models_app.api.trainings import router as trainings

router = Router()
router.add_router("", trainings)  # before the models: `models/jobs` is no model
router.add_router("", testing)
router.add_router("", models)
