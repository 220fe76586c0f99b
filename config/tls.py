"""TLS to databases, broker and Redis: the same settings for each, in the words of the library that connects to it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

KINDS = ("DATABASE", "BROKER", "REDIS")
URLS = {"BROKER": ("BROKER_URL", ("amqps", "rediss")), "REDIS": ("REDIS_URL", ("rediss",))}
"""Where an address says by its scheme whether TLS is used: its setting, and those schemes."""
SYSTEM = "system"
"""libpq's word for the CAs of the machine."""


class BadTls(Exception):
    """Settings of TLS that cannot take effect; the message begins with the name of one, without a prefix."""


@dataclass(frozen=True)
class Tls:
    """How one kind of server is verified and shown who asks; an empty path is the machine's CAs, or nobody."""

    is_set: bool
    ca: str
    verify: bool
    certificate: str
    key: str


def tls_of(values: Mapping[str, Any], kind: str) -> Tls:
    """Give what the settings say of one kind. Whatever is not said to be unverified is verified."""
    ca, verify, certificate, key = (values[f"{kind}_TLS_{name}"] for name in ("CA", "VERIFY", "CERTIFICATE", "KEY"))
    is_set = bool(ca or certificate or key) or verify != ""
    return Tls(is_set, ca, verify is not False, certificate, key or certificate)


def check(values: Mapping[str, Any]) -> None:
    """Look at files and whether every setting has something to work on. :raises BadTls: naming one that has not."""
    for kind in KINDS:
        tls = tls_of(values, kind)
        if tls.key and not tls.certificate:
            raise BadTls(f"{kind}_TLS_KEY: the certificate that it belongs to is missing ({kind}_TLS_CERTIFICATE)")
        if tls.ca and not tls.verify:
            raise BadTls(f"{kind}_TLS_CA: of no effect while {kind}_TLS_VERIFY is false")
        _load(kind, tls)
        _check_scheme(values, kind, tls)


def of_libpq(tls: Tls) -> dict[str, str]:
    """Give the options of a database's connection; none where no setting asks for TLS."""
    if not tls.is_set:
        return {}
    server = {"sslmode": "verify-full", "sslrootcert": tls.ca or SYSTEM} if tls.verify else {"sslmode": "require"}
    return server | ({"sslcert": tls.certificate, "sslkey": tls.key} if tls.certificate else {})


def of_broker(tls: Tls, url: str) -> dict[str, Any] | bool:
    """Give what Celery calls `broker_use_ssl`; False for an address without TLS."""
    where = urlsplit(url)
    if where.scheme == "rediss":
        return {f"ssl_{name}": value for name, value in _of_ssl(tls).items()}
    if where.scheme != "amqps":
        return False
    # py-amqp verifies the name, and sends it, only if it is told; kombu would tell it 127.0.0.1 for localhost.
    return _of_ssl(tls) | ({"server_hostname": where.hostname} if tls.verify else {})


def redis_url(tls: Tls, url: str) -> str:
    """Add to the address of Redis what its client takes from there; what the address says itself holds."""
    if urlsplit(url).scheme != "rediss":
        return url
    options = {f"ssl_{name}": value for name, value in _of_ssl(tls).items()}
    options["ssl_cert_reqs"] = "required" if tls.verify else "none"
    _, _, said = url.partition("?")
    added = {name: value for name, value in options.items() if f"{name}=" not in said}
    return f"{url}{'&' if said else '?'}{urlencode(added, quote_via=quote)}" if added else url


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
            context.load_cert_chain(tls.certificate, tls.key, password="")  # where it needs one, it cannot be used
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
        raise BadTls(f"{name}: names several servers, whose names cannot be verified by turns; name one")
