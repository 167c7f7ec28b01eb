"""Which certificates are trusted: the system's store, besides it the environment's or those that requests brings."""

from __future__ import annotations

import os
import ssl
from functools import cache

import certifi

__all__ = ["BundleError", "trust"]

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""What may name a file or folder of certificates; the first that is set counts."""


class BundleError(Exception):
    """The certificates that an environment variable names cannot be read. str() is the variable."""


def trust() -> ssl.SSLContext:
    """What a server must show to be believed, for one connection: no other waits while its handshake hangs.

    Where the system's store is missing, empty or broken, the certificates that requests brings are still there, and
    so they are where truststore is missing: in a distribution's own Blender. Raises BundleError.
    """
    context = _system_store() if _store_can_be_read() else _without_truststore()
    variable = next((name for name in VARIABLES if os.environ.get(name)), "")
    path = os.environ[variable] if variable else certifi.where()
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError:
        raise BundleError(variable) from None
    return context


@cache
def _store_can_be_read() -> bool:
    try:
        # What begins a connection reads the store: an unreadable one would fail every connection alike.
        _system_store().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    except (ImportError, OSError):
        return False
    return True


def _system_store() -> ssl.SSLContext:
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _without_truststore() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context
