"""`/favicon.ico`: what a browser shows beside the address of pages that name no icon."""

from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static

from config.settings.admin import FAVICON


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the icon among the static files, whose address changes with its content."""
    return HttpResponseRedirect(static(FAVICON))
