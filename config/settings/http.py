"""Requests: middleware, REST framework, OpenAPI, static files."""

from pathlib import Path

from config import env
from config.settings._values import VALUES

ALLOWED_HOSTS = VALUES["ALLOWED_HOSTS"]
CSRF_TRUSTED_ORIGINS = VALUES["CSRF_TRUSTED_ORIGINS"]
# Networks; config.proxies removes the headers of the next two settings if another client sent them.
TRUSTED_PROXIES = VALUES["TRUSTED_PROXIES"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = True
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

# A web process's threads: this many run a request each, this many more requests are queued, and this many let a client
# wait for an outcome (`Prefer: wait`). The remaining threads answer probes and send 503 to requests beyond these
# limits.
WEB_AT_WORK = env.web_threads()
WEB_QUEUED = 4 * WEB_AT_WORK
WEB_WAITING = WEB_AT_WORK
WEB_SPARE = 8

MIDDLEWARE = [
    "config.any_host.middleware",
    "config.proxies.middleware",
    "orchestration.api.admission.middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

if VALUES["TRACES"]:
    MIDDLEWARE.insert(0, "orchestration.telemetry.tracing.middleware")

STATIC_URL = "static/"
STATIC_ROOT = Path(__file__).resolve().parents[2] / ".run" / "static"
WHITENOISE_USE_FINDERS = True  # serves without collectstatic, which compose runs anyway

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["orchestration.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "orchestration.api.negotiation.Negotiation",
    "URL_FORMAT_OVERRIDE": None,  # an unknown query parameter is ignored
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "orchestration.api.problems.handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": None, "AUTO_REFRESH": False}  # a shop's server keeps its token until it is revoked

SPECTACULAR_SETTINGS = {
    "TITLE": "Shop checkout",
    "DESCRIPTION": "Places orders across inventory, payments, shipping and orders: all of it happens, or is undone.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "SagaStatus": "orchestration.operators.representations.sagas.STATUSES",
        "SagaStatusAsked": "orchestration.operators.insight.status.WORDS_FOR_STATUSES",
        "ActionEnum": "orchestration.operators.representations.actions.ACTIONS",
        "OutcomeEnum": "orchestration.operators.representations.actions.OUTCOMES",
        "AcceptedStatus": "orders.api.representations.ACCEPTED",
        "CheckoutStatus": "orders.api.representations.CHECKOUT_STATUSES",
        "ChangeStatus": "orders.api.change_representations.CHANGE_STATUSES",
        "OrderStatus": "orders.models.Order.Status",
        "BatchState": "orchestration.models.operators.BatchState",
        "MachineryAction": "orchestration.operators.representations.machinery.MACHINERY_ACTIONS",
        "MachineryOutcome": "orchestration.operators.representations.machinery.MACHINERY_OUTCOMES",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "/favicon.ico",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}
