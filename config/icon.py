"""`/favicon.ico`: the icon that browsers show for pages without an icon of their own."""

from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static

from config.settings.admin import FAVICON


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to the icon in the static files, whose address changes with its content."""
    return HttpResponseRedirect(static(FAVICON))
