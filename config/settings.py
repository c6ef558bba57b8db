"""Settings, all from the environment; docs/operations.md lists every variable."""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config import (
    celery,  # noqa: F401  a process that has settings can send tasks; the supervisor has none and stays small
    local_services,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = local_services.var_dir()
TESTING = "pytest" in sys.modules


def flag(name: str, default: bool) -> bool:
    """Read a yes-or-no variable."""
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def database(url: str) -> dict[str, Any]:
    """Turn postgresql://user:password@host:port/name?host=/socket into Django's dictionary."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "touchstone",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", "") or parts.hostname or "",
        "PORT": str(parts.port or query.pop("port", "")),
        # A pool belongs to one process: forked workers and short commands open their own connections.
        "OPTIONS": {
            **query,
            **(
                {
                    # planning a claim costs PostgreSQL four times what running it does: statements of
                    # pages are prepared (not those of workers and commands: 65,535 values are the most)
                    "server_side_binding": True,
                    "prepare_threshold": 3,
                    "pool": {"min_size": 0, "max_size": 8, "timeout": 20, "max_idle": 120},
                    "options": "-c jit=off",  # pages ask short questions
                }
                if POOL
                else {}
            ),
        },
        "CONN_HEALTH_CHECKS": not POOL,
        "CONN_MAX_AGE": 0,
    }


DEBUG = flag("DEBUG", False)
EMBEDDED_DATABASE = not os.environ.get("DATABASE_URL")
POOL = flag("TOUCHSTONE_POOL", False)
DATABASE_URL = os.environ.get("DATABASE_URL") or local_services.database_url(VAR_DIR)
REDIS_URL = os.environ.get("REDIS_URL") or local_services.redis_url(VAR_DIR)

SECRET_KEY = os.environ.get("SECRET_KEY") or local_services.secret_key(VAR_DIR)
ALLOWED_HOSTS = [h for h in os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",") if h]
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("CSRF_TRUSTED_ORIGINS", "").split(",") if o]
HTTPS = flag("HTTPS", False)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "config.apps.StaticFiles",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "accounts",
    "models_app",
    "labeling",
    "training",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "accounts.whence.noted",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.SignedIn",
    "accounts.middleware.own_language",
    "accounts.sessions.noted",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.two_factors.Demand",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.content_policy.content_policy",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
FORM_RENDERER = "config.forms.Renderer"
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
            ]
        },
    }
]

DATABASES = {"default": database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "config.redis_cache.RedisCache", "LOCATION": REDIS_URL}}
SESSION_ENGINE = "accounts.sessions"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.Backend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Single sign-on by OpenID Connect: one provider, off while it has no issuer.
OIDC_ISSUER = os.environ.get("OIDC_ISSUER", "").rstrip("/")
OIDC_NAME = os.environ.get("OIDC_NAME", "") or "single sign-on"
# what newcomers are, or none: only who is here already comes in; and whose addresses may, all where empty
OIDC_ROLE = os.environ.get("OIDC_ROLE", "") or "rater"
OIDC_DOMAINS = [d.strip().lower() for d in os.environ.get("OIDC_DOMAINS", "").split(",") if d.strip()]
if OIDC_ROLE not in {"rater", "manager", "researcher", "none"}:
    raise ImproperlyConfigured("OIDC_ROLE must be rater, manager, researcher or none")
# of whom a second factor is asked: managers, everybody, or nobody where empty
REQUIRE_TWO_FACTORS = os.environ.get("REQUIRE_TWO_FACTORS", "").strip().lower()
if REQUIRE_TWO_FACTORS not in {"", "managers", "everybody"}:
    raise ImproperlyConfigured("REQUIRE_TWO_FACTORS must be managers or everybody")
# how many sign-ins may fail, from one address (ip) and for one name (key)
SIGN_IN_LIMIT = os.environ.get("SIGN_IN_LIMIT", "") or "30/m/ip,10/5m/key"
ACCOUNT_ADAPTER = "accounts.single_sign_on.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login_failed": "9999/m/ip" if TESTING else SIGN_IN_LIMIT}
MFA_ADAPTER = "accounts.two_factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# nobody signs up with somebody else's address: what the rule guards against can't be
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_RATE_LIMITS = {"webauthn_login": "60/m/ip"}  # two requests a sign-in; an office shares its address
MFA_TOTP_ISSUER = "Touchstone"
SOCIALACCOUNT_ADAPTER = "accounts.single_sign_on.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
# whoever was invited under an address that the provider confirms comes in as that person
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": []}}
if OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"].append(
        {
            "provider_id": "sso",
            "name": OIDC_NAME,
            "client_id": os.environ.get("OIDC_CLIENT_ID", ""),
            "secret": os.environ.get("OIDC_CLIENT_SECRET", ""),
            "settings": {"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
        }
    )
# Invitations are mailed where a server is named.
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "") or "touchstone@localhost"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or TESTING
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # every page asks for these; the others need not be compressed
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024

MODELS_DIR = VAR_DIR / "models"
RUNS_DIR = VAR_DIR / "runs"
SNAPSHOTS_DIR = VAR_DIR / "snapshots"
UPLOADS_DIR = VAR_DIR / "uploads"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# How many proxies of ours write X-Forwarded-For; what the header says beyond them is not believed.
TRUSTED_PROXIES = ALLAUTH_TRUSTED_PROXY_COUNT = int(os.environ.get("TRUSTED_PROXIES", "0"))
# Requests a minute: of a token or person over the API and on pages, and from an address through signed links.
RATE_LIMITS = {
    "rating": int(os.environ.get("LIMIT_RATING", "1200")),
    "reading": int(os.environ.get("LIMIT_READING", "1200")),
    "writing": int(os.environ.get("LIMIT_WRITING", "600")),
    "costly": int(os.environ.get("LIMIT_COSTLY", "60")),
    "links": int(os.environ.get("LIMIT_LINKS", "60")),
}
if TESTING or not flag("RATE_LIMITS", True):
    RATE_LIMITS = {}  # benches and tests ask as fast as they can

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PARSER_CLASSES": ["accounts.json_body.JSONBody"],  # JSON in a form's values is checked by nobody
    "DEFAULT_PERMISSION_CLASSES": ["accounts.roles.RolePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.Limit"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "config.api_pages.CursorPages",
    "PAGE_SIZE": 50,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "config.api_errors.handle",
    "URL_FORMAT_OVERRIDE": None,  # ?format= names an export format
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Touchstone",
    "DESCRIPTION": "The whole preference loop: campaigns, judgments, models, runs and datasets.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["accounts.roles.RolePermission"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api_schema.describe_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "CampaignStatus": "labeling.models.Campaign.Status",
        "RoundStatus": "labeling.models.Round.Status",
        "RunStatus": "training.models.Run.Status",
        "RunKind": "training.models.Run.Kind",
        "WorkStatus": "training.models.Watch.Status",
        "TaskStatus": "labeling.models.Task.Status",
        "TaskKind": "labeling.models.Task.Kind",
        "SkipKind": "labeling.models.Skip.Kind",
        "SubmissionKind": "labeling.api.history.TAKEABLE",
        "SetupStepKey": "labeling.api.setup.STEPS",
        "WayInStep": "labeling.api.onboarding.STEPS",
        "CampaignScale": "labeling.models.Campaign.Scale",
        "PlotScale": "training.plots_api.SCALES",
        "ModelStatus": "models_app.models.ModelVersion.Status",
    },
}

CELERY_BROKER_URL = local_services.broker_url(REDIS_URL)
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "models_app.tasks.*": {"queue": "sample"},
    "labeling.tasks.generate_round": {"queue": "sample"},
    "labeling.tasks.score_round": {"queue": "sample"},
    "labeling.tasks.fit_raters": {"queue": "sample"},
    "labeling.tasks.measure_figures": {"queue": "sample"},
    "labeling.tasks.answer_turn": {"queue": "chat"},
    "training.tasks.choose_pairs": {"queue": "sample"},
    "training.tasks.look_at_watch": {"queue": "sample"},
    "training.tasks.refresh_alarms": {"queue": "sample"},
    "training.tasks.count_watch": {"queue": "sample"},
    "training.tasks.judge_comparisons": {"queue": "sample"},
    "training.tasks.count_judging": {"queue": "sample"},
    "training.tasks.prepare_target": {"queue": "sample"},
    "training.tasks.check_target": {"queue": "sample"},
    "training.tasks.prepare": {"queue": "sample"},
    "training.tasks.execute_run": {"queue": "train"},
    "training.tasks.evaluate_run": {"queue": "train"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
# `manage.py rehearse` runs these when no worker answers; a path, because training may not import config.
STACK_WORKERS = "config.stack.workers"
CONDUCTOR_SECONDS = float(os.environ.get("CONDUCTOR_SECONDS", "3"))
# New judgments of a campaign after which its raters are fitted anew, or 1 % of all where that is more.
RELIABILITY_EVERY = int(os.environ.get("RELIABILITY_EVERY", "50"))
# Of a round's tasks, how many more ask whether choosing by the reward model still pleases people; 0: none.
WATCH_SHARE = float(os.environ.get("WATCH_SHARE", "0.15"))
# Snapshots of more judgments, and exports of more rows, are made by a worker.
PREPARE_ABOVE = int(os.environ.get("PREPARE_ABOVE", "5000"))
# Exports are kept so that downloads can go on: so many days after somebody wanted one, and so many GB in all.
EXPORTS_KEEP_DAYS = float(os.environ.get("EXPORTS_KEEP_DAYS", "14"))
EXPORTS_KEEP_GB = float(os.environ.get("EXPORTS_KEEP_GB", "20"))
# Webhooks go to public addresses only; with this to private ones too, such as a receiver beside this machine.
WEBHOOK_PRIVATE = flag("WEBHOOK_PRIVATE", False)
CELERY_BEAT_SCHEDULE = {
    "deliver-webhooks": {"task": "accounts.tasks.deliver_webhooks", "schedule": 5.0},
    "prune-webhooks": {"task": "accounts.tasks.prune_webhooks", "schedule": 3600.0},
    "prune-sessions": {"task": "accounts.tasks.prune_sessions", "schedule": 86400.0},
    "tell-webhooks": {"task": "labeling.tasks.tell_webhooks", "schedule": 30.0},
    "conduct": {"task": "training.tasks.conduct", "schedule": CONDUCTOR_SECONDS},
    "tend-imports": {"task": "labeling.tasks.tend_imports", "schedule": 30.0},
    "tend-figures": {"task": "labeling.tasks.tend_figures", "schedule": 30.0},
    "tend-checks": {"task": "labeling.tasks.tend_checks", "schedule": 60.0},
    "expire-leases": {"task": "labeling.tasks.expire_leases", "schedule": 30.0},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {"httpx": {"level": "WARNING"}},  # a line for each answer of a policy behind a server
}
