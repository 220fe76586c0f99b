"""Django itself: apps, secrets, templates, time."""

from config.settings._values import VALUES

DEBUG = VALUES["DEBUG"]
SECRET_KEY = VALUES["SECRET_KEY"]
ENCRYPTION_KEYS = VALUES["SEALING_KEYS"]

INSTALLED_APPS = [
    "config",
    "deploy",
    "orchestration",
    "inventory",
    "payments",
    "payments.gateways.sandbox",
    "shipping",
    "shipping.carriers.sandbox",
    "orders",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_celery_results",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

if VALUES["ADMIN_THEME"] == "unfold":  # before the admin, whose templates it overrides
    INSTALLED_APPS.insert(INSTALLED_APPS.index("django.contrib.admin"), "unfold")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]
