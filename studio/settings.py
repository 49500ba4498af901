"""All settings of Parley. Each is an environment variable, read here and nowhere else, and listed in .env.example."""

import re
import sys
from pathlib import Path

from studio import env, logs, sentry

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- Where things are ---------------------------------------------------------------------------------------------
DATA = Path(env.text("PARLEY_DATA", str(BASE_DIR / "var"))).resolve()
env.load_file(DATA / "run" / "parley.env")

PORT = env.whole("PORT", 8000, least=1, most=65535)
PUBLIC_URL = env.text("PARLEY_URL", f"http://localhost:{PORT}").rstrip("/")  # for browsers
DOCS_URL = env.text("PARLEY_DOCS_URL", "").rstrip("/")  # where `make docs` is served; our own pages when empty
INTERNAL_URL = env.text("PARLEY_INTERNAL_URL", f"http://127.0.0.1:{PORT}").rstrip("/")  # for Rasa servers
RASA_HOSTS = env.words("PARLEY_RASA_HOSTS", "localhost,127.0.0.1,::1")  # private hosts that we may call
ARTIFACTS_DIR = Path(env.text("PARLEY_ARTIFACTS", str(DATA / "artifacts"))).resolve()
S3_BUCKET = env.text("PARLEY_S3_BUCKET", "")  # models are kept there, and no longer in ARTIFACTS_DIR
S3_ENDPOINT = env.optional("PARLEY_S3_ENDPOINT")  # that of Amazon when empty
S3_REGION = env.text("PARLEY_S3_REGION", "us-east-1")
S3_PREFIX = env.text("PARLEY_S3_PREFIX", "").strip("/")
S3_ACCESS_KEY_ID = env.text("PARLEY_S3_ACCESS_KEY_ID", "")  # what boto3 finds by itself when empty
S3_SECRET_ACCESS_KEY = env.secret("PARLEY_S3_SECRET_ACCESS_KEY", "")
_PAIR = S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY
env.refuse(
    any(_PAIR) and not all(_PAIR),
    "Of PARLEY_S3_ACCESS_KEY_ID and PARLEY_S3_SECRET_ACCESS_KEY only one is set.",
)
env.refuse(
    S3_ENDPOINT is not None and not S3_ENDPOINT.startswith(("http://", "https://")),
    "PARLEY_S3_ENDPOINT must begin with http:// or https://.",
)
BACKUP_S3_ENDPOINT = env.optional("PARLEY_BACKUP_S3_ENDPOINT") or S3_ENDPOINT  # of backups to s3://…
BACKUP_S3_REGION = env.text("PARLEY_BACKUP_S3_REGION", S3_REGION)
_BACKUP_PAIR = (
    env.text("PARLEY_BACKUP_S3_ACCESS_KEY_ID", ""),
    env.secret("PARLEY_BACKUP_S3_SECRET_ACCESS_KEY", ""),
)
env.refuse(
    any(_BACKUP_PAIR) and not all(_BACKUP_PAIR),
    "Of PARLEY_BACKUP_S3_ACCESS_KEY_ID and PARLEY_BACKUP_S3_SECRET_ACCESS_KEY only one is set.",
)
BACKUP_S3_ACCESS_KEY_ID, BACKUP_S3_SECRET_ACCESS_KEY = _BACKUP_PAIR if all(_BACKUP_PAIR) else _PAIR
ARTIFACTS_MOVE = env.text("PARLEY_ARTIFACTS_MOVE", "")  # both stores are read until models are moved
env.refuse(ARTIFACTS_MOVE not in {"", "to-s3", "from-s3"}, "PARLEY_ARTIFACTS_MOVE must be to-s3, from-s3 or empty.")
env.refuse(
    bool(ARTIFACTS_MOVE) and not S3_BUCKET,
    "PARLEY_ARTIFACTS_MOVE is set, and PARLEY_S3_BUCKET is not: name the bucket.",
)
JOBS_DIR = Path(env.text("PARLEY_JOBS", str(DATA / "jobs"))).resolve()
SERVERS_DIR = Path(env.text("PARLEY_SERVERS", str(DATA / "servers"))).resolve()
RASA_DIR = Path(env.text("PARLEY_RASA", str(DATA / "rasa"))).resolve()
RASA_VERSION = env.text("PARLEY_RASA_VERSION", "3.6.21")
RASA_PYTHON = env.optional("RASA_PYTHON")
RASA_OWN = env.pairs("PARLEY_RASA_OWN")  # (name, path of an interpreter in which a team has its own Rasa)
RASA_OWN_VARIABLES = env.pairs("PARLEY_RASA_OWN_VARIABLES")  # (name of such a one, variable that its processes get)
PROCESSES = env.text("PARLEY_PROCESSES", "local")  # where Rasa runs: local or kubernetes (docs/kubernetes.md)
env.refuse(PROCESSES not in ("local", "kubernetes"), "PARLEY_PROCESSES takes local or kubernetes.")
RASA_IMAGES = env.pairs("PARLEY_RASA_IMAGES")  # (name that assistants choose, container image with that Rasa)
env.refuse(
    PROCESSES == "kubernetes" and RASA_VERSION not in dict(RASA_IMAGES),
    f"PARLEY_RASA_IMAGES names no image for {RASA_VERSION}, which is PARLEY_RASA_VERSION.",
)
env.refuse(
    not all(re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", name) for name, _image in RASA_IMAGES)
    or len(RASA_IMAGES) != len(dict(RASA_IMAGES)),
    "PARLEY_RASA_IMAGES takes each name once: at most 40 small letters, digits, dots and dashes.",
)
KUBERNETES_NAMESPACE = env.text("PARLEY_KUBERNETES_NAMESPACE", "")  # that of the Pod we run in, else `default`
KUBERNETES_CONTEXT = env.optional("PARLEY_KUBERNETES_CONTEXT")  # of the kubeconfig, outside of a cluster
KUBERNETES_TEMPLATE = env.yaml("PARLEY_KUBERNETES_TEMPLATE")  # goes over the pod template of every Job
KUBERNETES_SERVER_RESOURCES = env.yaml("PARLEY_KUBERNETES_SERVER_RESOURCES")  # of slots and managed servers
KUBERNETES_ADDRESS = env.text("PARLEY_KUBERNETES_ADDRESS", "")  # where Pods reach this process; found out when empty
KUBERNETES_PORT = env.whole("PARLEY_KUBERNETES_PORT", 0, most=65535)  # on it; 0 is any free one
KUBERNETES_OWNER = env.text("PARLEY_KUBERNETES_OWNER", "")  # name/uid of the Pod we run in: its Jobs go with it
KUBERNETES_START_SECONDS = env.whole("PARLEY_KUBERNETES_START_SECONDS", 900, least=10)  # a Pod may wait for a node
_OWN_NAMES = [name for name, _path in RASA_OWN]
env.refuse(
    not all(re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name) for name in _OWN_NAMES)
    or len(_OWN_NAMES) != len(set(_OWN_NAMES)),
    "PARLEY_RASA_OWN takes each name once: a small letter, then at most 30 small letters, digits and dashes.",
)
env.refuse(
    not all(Path(path).is_absolute() for _name, path in RASA_OWN),
    "PARLEY_RASA_OWN names interpreters by their whole path, which begins with /.",
)
env.refuse(
    any(name not in [*_OWN_NAMES, *dict(RASA_IMAGES)] for name, _variable in RASA_OWN_VARIABLES),
    "PARLEY_RASA_OWN_VARIABLES has a name that PARLEY_RASA_OWN does not have.",
)
env.refuse(
    any(variable.startswith("PARLEY_") or variable in env.KEPT for _name, variable in RASA_OWN_VARIABLES),
    "PARLEY_RASA_OWN_VARIABLES may not name a variable of Parley's own: code of an assistant could read it.",
)
ENVIRONMENTS_FILE = env.optional("PARLEY_ENVIRONMENTS")
INTAKE_DATABASE_HOST = env.text("PARLEY_INTAKE_DATABASE_HOST", "")  # where Rasa servers reach our PostgreSQL
INTAKE_INVALID_SHARE = env.whole("PARLEY_INTAKE_INVALID_SHARE", 50, least=1, most=100)  # percent of 1,000 records
DEAD_LETTER_DAYS = env.whole("PARLEY_DEAD_LETTER_DAYS", 30, least=1)  # how long handled ones are kept
COMPLETENESS_SAMPLE = env.whole("PARLEY_COMPLETENESS_SAMPLE", 300)  # conversations of a nightly check; 0 makes none
COMPLETENESS_HOUR = env.whole("PARLEY_COMPLETENESS_HOUR", 2, most=23)  # of the day in UTC
RETENTION_HOUR = env.whole("PARLEY_RETENTION_HOUR", 1, most=23)  # of the day in UTC
INTAKE_DATABASE_PORT = env.whole("PARLEY_INTAKE_DATABASE_PORT", 0, most=65535)

# --- Behaviour ----------------------------------------------------------------------------------------------------
STARTER = env.flag("PARLEY_STARTER", True)
TRAINING_WORKERS = env.whole("PARLEY_TRAINING_WORKERS", 1)
RUNNING_WORKERS = env.whole("PARLEY_RUNNING_WORKERS", 1)
WORKER_GRACE = env.whole("PARLEY_WORKER_GRACE", 3)  # seconds that a job has left when its worker is told to stop
SLOT_IDLE_MINUTES = env.whole("PARLEY_SLOT_IDLE_MINUTES", 15, least=1)  # without a word; then a slot is stopped
SLOT_HOST = env.text("PARLEY_SLOT_HOST", "127.0.0.1")  # where the web reaches the slots of this machine's workers
SERVER_HOST = env.text("PARLEY_SERVER_HOST", "127.0.0.1")  # where the web reaches the servers that the controller runs
WEB_WORKERS = env.whole("PARLEY_WEB_WORKERS", 2, least=1)  # web processes
WEB_THREADS = env.whole("PARLEY_WEB_THREADS", 80, least=4)  # threads of each; made as they are needed
WEB_GRACE = env.whole("PARLEY_WEB_GRACE", 8)  # seconds that requests have left when the web is told to stop
TRANSFERS = max(1, WEB_THREADS - max(2, WEB_THREADS // 5))  # of them may send files; polls and pages keep the rest
MAX_MODEL_BYTES = env.size("PARLEY_MAX_MODEL_BYTES", "2GB")
MAX_DATA_BYTES = env.size("PARLEY_MAX_DATA_BYTES", "50MB")
TRAINING_SECONDS = env.whole("PARLEY_TRAINING_SECONDS", 4 * 3600, least=1)
METRICS_TOKEN = env.secret("PARLEY_METRICS_TOKEN", "")  # what Prometheus shows; empty = none opens /metrics
env.refuse(0 < len(METRICS_TOKEN) < 16, "PARLEY_METRICS_TOKEN is too short: `openssl rand -hex 32` makes a good one.")
METRICS_ALLOW = env.networks("PARLEY_METRICS_ALLOW", env.words("PARLEY_METRICS_ALLOW"))  # that need no token
METRICS_DIR = Path(env.text("PARLEY_METRICS_DIR", str(DATA / "run" / "metrics"))).resolve()
ADMIN_PASSWORD = env.secret("PARLEY_ADMIN_PASSWORD", "")
RASA_X_TOKEN = env.secret("RASA_X_TOKEN", "")

# --- Django -------------------------------------------------------------------------------------------------------
DEBUG = env.flag("PARLEY_DEBUG", False)
SECRET_KEY = env.secret("PARLEY_SECRET_KEY")
ENCRYPTION_KEYS = [key.strip() for key in env.secret("PARLEY_ENCRYPTION_KEYS").split(",") if key.strip()]
ALLOWED_HOSTS = env.words("PARLEY_ALLOWED_HOSTS", ",".join(env.hosts(PUBLIC_URL, INTERNAL_URL)))
CSRF_TRUSTED_ORIGINS = env.words("PARLEY_TRUSTED_ORIGINS", PUBLIC_URL)
TRUSTED_PROXIES = env.whole("PARLEY_TRUSTED_PROXIES", 0)  # how many hops of X-Forwarded-For are ours

INSTALLED_APPS = [
    "studio.operators.apps.OperatorsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_filters",
    "template_partials",
    "heroicons",
    "ninja",
    "studio.access",
    "studio.audit",
    "studio.jobs",
    "studio.rasa",
    "studio.web",
    "models_app",
    "environments",
    "conversations",
]

MIDDLEWARE = [
    "studio.metrics.http.MetricsMiddleware",
    "environments.model_server.ModelServerMiddleware",
    "studio.web.middleware.RequestIdMiddleware",
    "studio.web.middleware.NulMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "studio.web.middleware.ContentSecurityPolicyMiddleware",
    "studio.health.ProbeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "studio.access.middleware.BrowserSessionMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "studio.web.middleware.SignedOutHtmxMiddleware",
    "studio.audit.middleware.RefusalMiddleware",
    "studio.web.middleware.TooManyMiddleware",
]

ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "studio.web.context.shell",
            ],
            "builtins": [
                "django.templatetags.static",
                "django_htmx.templatetags.django_htmx",
                "heroicons.templatetags.heroicons",
                "studio.web.templatetags.parley",
            ],
        },
    }
]

# The web's many threads share a few connections. Others keep one each: a pool does not survive the fork of a job.
WEB_CONNECTIONS = env.whole("PARLEY_WEB_CONNECTIONS", 20, least=1)  # of one web process
DATABASE_POOL = WEB_CONNECTIONS if "gunicorn" in sys.modules else 0
DATABASES = {
    "default": {
        **env.database("DATABASE_URL", pool=DATABASE_POOL),
        "CONN_MAX_AGE": 0 if DATABASE_POOL else 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.secret("REDIS_URL")
AUTH_USER_MODEL = "access.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.E003",  # user names are unique in lower case; the check knows no index by expression
    "auth.W004",  # the same, since there is a second backend
    "security.W005",  # HSTS for hosts below ours, and
    "security.W021",  # its preload list: both are for who owns the whole domain to decide, at the proxy
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "studio.access.oidc.backend.SingleSignOnBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "access:sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "access:sign-in"
LOCKOUT_FAILURES = env.whole("PARLEY_LOCKOUT_FAILURES", 10, least=1)
LOCKOUT_SECONDS = env.whole("PARLEY_LOCKOUT_SECONDS", 900, least=1)

# --- Single sign-on by OpenID Connect -----------------------------------------------------------------------------
OIDC_ISSUER = env.text("PARLEY_OIDC_ISSUER", "")  # exactly as the provider writes it; empty = none
OIDC_CLIENT_ID = env.text("PARLEY_OIDC_CLIENT_ID", "parley-web")
OIDC_CLIENT_SECRET = env.secret("PARLEY_OIDC_CLIENT_SECRET", "")  # empty = a public client, with PKCE alone
OIDC_CLI_CLIENT_ID = env.text("PARLEY_OIDC_CLI_CLIENT_ID", "parley-cli")  # a public client, for programs
OIDC_NAME = env.text("PARLEY_OIDC_NAME", "Keycloak")
OIDC_SCOPES = env.text("PARLEY_OIDC_SCOPES", "openid profile email")
OIDC_USERNAME_CLAIM = env.text("PARLEY_OIDC_USERNAME_CLAIM", "preferred_username")
OIDC_ROLES_CLAIMS = env.words("PARLEY_OIDC_ROLES_CLAIM", "realm_access.roles")
OIDC_GROUPS_CLAIM = env.text("PARLEY_OIDC_GROUPS_CLAIM", "groups")
OIDC_ROLE_MAP = env.pairs("PARLEY_OIDC_ROLE_MAP")  # (name there, role here); a name that is not in it maps to itself
OIDC_SKEW = env.whole("PARLEY_OIDC_SKEW", 30, most=600)  # seconds by which the provider's clock may differ
OIDC_GRACE = env.whole("PARLEY_OIDC_GRACE", 900)  # seconds that sessions outlive a provider that does not answer
OIDC_AUTHENTICATION_CALLBACK_URL = "access:oidc-callback"  # read by mozilla-django-oidc, as is the next
OIDC_MAX_STATES = 10  # sign-ins under way in one browser
LOCAL_SIGN_IN = env.flag("PARLEY_LOCAL_SIGN_IN", True)
FIRST_USER_ADMIN = env.flag("PARLEY_FIRST_USER_ADMIN", False)
DEFAULT_ROLE = env.text("PARLEY_DEFAULT_ROLE", "")  # of new people; the role marked so when empty
env.refuse(
    not LOCAL_SIGN_IN and not OIDC_ISSUER,
    "PARLEY_LOCAL_SIGN_IN is 0 and PARLEY_OIDC_ISSUER is not set: nobody could sign in.",
)

SECURE_COOKIES = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_NAME = f"parley_session_{PORT}"  # two installations on one host must not sign each other out
SESSION_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_NAME = f"parley_csrf_{PORT}"
CSRF_COOKIE_SECURE = SECURE_COOKIES
CSRF_FAILURE_VIEW = "studio.web.errors.csrf_failure"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE_COOKIES else 0
# Without a trusted proxy's word every request looks like plain http, and the redirect would never end. Rasa servers,
# probes and the provider's own calls come from inside, by PARLEY_INTERNAL_URL.
SECURE_SSL_REDIRECT = SECURE_COOKIES and TRUSTED_PROXIES > 0
SECURE_REDIRECT_EXEMPT = [r"^api/", r"^healthz$", r"^readyz$", r"^metrics$", r"^oidc/back-channel-logout$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("docs", BASE_DIR / "docs" / "pictures")]
STATIC_ROOT = Path(env.text("PARLEY_STATIC", str(DATA / "static"))).resolve()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "studio.logs.formatter", "json": env.flag("PARLEY_LOG_JSON", False)}},
    "filters": {"without_senders": {"()": "studio.logs.WithoutSenders"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["without_senders"]}},
    "root": {"handlers": ["stderr"], "level": env.text("PARLEY_LOG_LEVEL", "INFO")},
    "loggers": {"django": {"level": "INFO"}, "rq": {"level": "WARNING"}, "kafka": {"level": "WARNING"}},
}
logs.configure()
SENTRY_DSN = env.secret("PARLEY_SENTRY_DSN", "")
SENTRY_ENVIRONMENT = env.text("PARLEY_SENTRY_ENVIRONMENT", "production")
env.refuse(
    bool(SENTRY_DSN) and not sentry.is_address(SENTRY_DSN),
    "PARLEY_SENTRY_DSN must look like https://key@sentry.example.com/7: Sentry shows it in the settings of a project.",
)
sentry.configure(SENTRY_DSN, environment=SENTRY_ENVIRONMENT, release=f"parley@{VERSION}")
