"""Deployment behind other addresses: probes by pod address, and links, redirects and cookies behind a proxy."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from deploy import webserver
from tests.integration.admin.situations import Situations
from tests.integration.api.conftest import EVERY_DATABASE, Shopper

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

PROXY, ANYBODY = "10.1.2.3", "203.0.113.9"
FORWARDED: Any = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "shop.example"}


@pytest.fixture(autouse=True)
def shop_example(settings) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.1.0.0/16")]
    settings.ALLOWED_HOSTS = ["shop.example", "10.9.9.9"]


@pytest.fixture(autouse=True)
def situations(situations: Situations) -> Situations:
    situations.running()
    situations.running()
    return situations


def links(boss: Shopper, **sent: Any) -> str:
    return str(boss.get("/sagas?limit=1", **{"HTTP_HOST": "10.9.9.9:8000", **sent}).json()["next"]).partition("/api")[0]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["10.42.0.17:8000", "evil.example", "", "a b"])
def test_probes_and_metrics_answer_whatever_the_host(path, host):
    assert Client().get(path, HTTP_HOST=host).status_code in (200, 503)


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/v1/docs", "/api/v1/checkouts", "/healthz/", "/nowhere"])
def test_everything_else_refuses_foreign_hosts(path):
    assert Client(raise_request_exception=False).get(path, HTTP_HOST="evil.example").status_code == 400
    forwarded = {**FORWARDED, "HTTP_X_FORWARDED_HOST": "evil.example", "REMOTE_ADDR": PROXY}
    assert Client(raise_request_exception=False).get(path, HTTP_HOST="shop.example", **forwarded).status_code == 400


def test_links_follow_a_trusted_proxy(boss: Shopper):
    assert links(boss, REMOTE_ADDR=PROXY, **FORWARDED) == "https://shop.example"
    assert links(boss, REMOTE_ADDR=f"::ffff:{PROXY}", **FORWARDED) == "https://shop.example"
    assert links(boss, REMOTE_ADDR=PROXY) == "http://10.9.9.9:8000"


def test_of_several_values_the_proxy_s_own_counts(boss: Shopper):
    appended = {"HTTP_X_FORWARDED_PROTO": "http, https", "HTTP_X_FORWARDED_HOST": "evil.example, shop.example"}
    assert links(boss, REMOTE_ADDR=PROXY, **appended) == "https://shop.example"


@pytest.mark.parametrize("address", [ANYBODY, "127.0.0.1", ""])
def test_from_anybody_else_the_headers_are_ignored(boss: Shopper, address):
    assert links(boss, REMOTE_ADDR=address, **FORWARDED) == "http://10.9.9.9:8000"


def test_cookies_are_for_https_alone_where_it_is_used():
    def is_secure(**sent: Any) -> bool:
        response = Client().get("/admin/login/", HTTP_HOST="shop.example", **sent)
        return bool(response.cookies["csrftoken"]["secure"])

    assert is_secure(REMOTE_ADDR=PROXY, **FORWARDED)
    assert is_secure(secure=True)
    assert not is_secure(REMOTE_ADDR=ANYBODY, **FORWARDED)
    assert not is_secure(REMOTE_ADDR=PROXY)


def test_a_form_may_be_posted_from_the_address_that_the_proxy_names(boss: Shopper):
    browser = Client(enforce_csrf_checks=True, REMOTE_ADDR=PROXY, HTTP_HOST="10.9.9.9:8000", **FORWARDED)
    token = browser.get("/admin/login/").cookies["csrftoken"].value
    form = {"username": "x", "password": "x", "csrfmiddlewaretoken": token}
    assert browser.post("/admin/login/", form, HTTP_ORIGIN="https://shop.example").status_code == 200
    assert browser.post("/admin/login/", form, HTTP_ORIGIN="https://evil.example").status_code == 403


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_FOR"])
def test_metrics_through_a_proxy_need_the_token(settings, header):
    settings.METRICS_TOKEN = "a-token"
    settings.METRICS_NETWORKS = [ip_network("10.1.0.0/16"), ip_network("127.0.0.0/8")]
    assert Client().get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert Client().get("/metrics", REMOTE_ADDR="127.0.0.1", **{header: "x"}).status_code == 401
    assert Client().get("/metrics", REMOTE_ADDR=PROXY).status_code == 401
    assert Client().get("/metrics", REMOTE_ADDR=PROXY, HTTP_AUTHORIZATION="Bearer a-token").status_code == 200


def test_the_web_server_believes_nobody_by_itself():
    config = Config()
    config.set("secure_scheme_headers", webserver.secure_scheme_headers)
    sent = b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\n\r\n"
    request = next(RequestParser(config, iter([sent]), ("127.0.0.1", 1)))
    assert request.scheme == "http"
