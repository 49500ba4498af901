"""What programs may do with models, training data and trainings."""

from ninja import Router

from models_app.api import saving  # noqa: F401 - its operations are on the router of the data
from models_app.api.data import router as data
from models_app.api.models import router as models
from models_app.api.settings import router as settings
from models_app.api.testing import router as testing
from models_app.api.trainings import router as trainings
from models_app.api.uploads import router as uploads

router = Router()
router.add_router("", trainings)  # before the models: `models/jobs` is no model
router.add_router("", testing)
router.add_router("", models)
router.add_router("", data)
router.add_router("", settings)
router.add_router("", uploads)
