"""The URLs of the project."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config.icon import favicon
from config.probes import healthz, readyz
from orchestration.telemetry.views import metrics

handler400 = "orchestration.api.error_views.bad_request"
handler403 = "orchestration.api.error_views.forbidden"
handler404 = "orchestration.api.error_views.not_found"
handler500 = "orchestration.api.error_views.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/operations/", include("orchestration.admin.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", favicon),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("api/v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("orchestration.operators.api.urls")),
    path("api/v1/", include("orders.api.urls")),
]
