"""TLS to databases, broker and Redis: the same settings for each, translated to the options of its client library."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

KINDS = ("DATABASE", "BROKER", "REDIS")
URLS = {"BROKER": ("BROKER_URL", ("amqps", "rediss")), "REDIS": ("REDIS_URL", ("rediss",))}
"""The kinds of server whose URL scheme decides whether TLS is used: the setting, and the schemes with TLS."""
SYSTEM = "system"
"""libpq's name for the machine's CAs."""


class BadTls(Exception):
    """TLS settings that cannot take effect. The message begins with the name of one, without the prefix."""


@dataclass(frozen=True)
class Tls:
    """TLS settings of one kind of server: the CAs that verify it, and the client certificate.

    An empty CA means the machine's CAs. An empty certificate means none.
    """

    is_set: bool
    ca: str
    verify: bool
    certificate: str
    key: str


def tls_of(values: Mapping[str, Any], kind: str) -> Tls:
    """Return the TLS settings of one kind. Servers are verified unless a setting says otherwise."""
    ca, verify, certificate, key = (values[f"{kind}_TLS_{name}"] for name in ("CA", "VERIFY", "CERTIFICATE", "KEY"))
    is_set = bool(ca or certificate or key) or verify != ""
    return Tls(is_set, ca, verify is not False, certificate, key or certificate)


def check(values: Mapping[str, Any]) -> None:
    """Check that the files can be used and that every setting has an effect.

    :raises BadTls: naming a setting that has none.
    """
    for kind in KINDS:
        tls = tls_of(values, kind)
        if tls.key and not tls.certificate:
            raise BadTls(f"{kind}_TLS_KEY: the certificate that it belongs to is missing ({kind}_TLS_CERTIFICATE)")
        if tls.ca and not tls.verify:
            raise BadTls(f"{kind}_TLS_CA: of no effect while {kind}_TLS_VERIFY is false")
        _load(kind, tls)
        _check_scheme(values, kind, tls)


def of_libpq(tls: Tls) -> dict[str, str]:
    """Return the options of a database's connection; none if no setting asks for TLS."""
    if not tls.is_set:
        return {}
    server = {"sslmode": "verify-full", "sslrootcert": tls.ca or SYSTEM} if tls.verify else {"sslmode": "require"}
    return server | ({"sslcert": tls.certificate, "sslkey": tls.key} if tls.certificate else {})


def of_broker(tls: Tls, url: str) -> dict[str, Any] | bool:
    """Return Celery's `broker_use_ssl`; False for an address without TLS."""
    where = urlsplit(url)
    if where.scheme == "rediss":
        return {f"ssl_{name}": value for name, value in _of_ssl(tls).items()}
    if where.scheme != "amqps":
        return False
    # py-amqp verifies and sends a host name only if it is given one. kombu would give it 127.0.0.1 for localhost.
    return _of_ssl(tls) | ({"server_hostname": where.hostname} if tls.verify else {})


def redis_url(tls: Tls, url: str) -> str:
    """Add the TLS options to the address of Redis. Options that the address already has stay as they are."""
    if urlsplit(url).scheme != "rediss":
        return url
    options = {f"ssl_{name}": value for name, value in _of_ssl(tls).items()}
    options["ssl_cert_reqs"] = "required" if tls.verify else "none"
    _, _, query = url.partition("?")
    added = {name: value for name, value in options.items() if f"{name}=" not in query}
    return f"{url}{'&' if query else '?'}{urlencode(added, quote_via=quote)}" if added else url


def _of_ssl(tls: Tls) -> dict[str, Any]:
    files = {"ca_certs": tls.ca, "certfile": tls.certificate, "keyfile": tls.key}
    reqs = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    return {"cert_reqs": reqs} | {name: path for name, path in files.items() if path}


def _load(kind: str, tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.ca:
            context.load_verify_locations(tls.ca)
    except OSError as error:
        raise BadTls(f"{kind}_TLS_CA: {tls.ca} cannot be used: {error.strerror or error}") from None
    try:
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key, password="")  # a key with a password is not supported
    except OSError as error:
        where = f"{kind}_TLS_CERTIFICATE: {tls.certificate} with the key in {tls.key}"
        raise BadTls(f"{where} cannot be used: {error.strerror or error}") from None


def _check_scheme(values: Mapping[str, Any], kind: str, tls: Tls) -> None:
    if kind not in URLS:
        return
    name, schemes = URLS[kind]
    with_tls = urlsplit(values[name]).scheme in schemes
    if tls.is_set and not with_tls:
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        raise BadTls(f"{name}: the {kind}_TLS_ settings have no effect, as it does not begin with {begins}")
    if with_tls and ";" in values[name]:
        raise BadTls(f"{name}: names several servers; TLS verifies one host name, so name one server")
