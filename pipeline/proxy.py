"""The environment's proxies. The HTTP library would read them together with passwords for hosts (.netrc)."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import InputError


def proxy_for(url: str) -> str | None:
    """Returns the proxy that the environment names for an address, None when it names none.

    Raises InputError for one that is not an address, without quoting it: it can hold a password.
    """
    parts, proxies = urlsplit(url), getproxies()
    scheme = parts.scheme if parts.scheme in proxies else "all"
    proxy = proxies.get(scheme)
    if not proxy or proxy_bypass(parts.hostname):
        return None
    try:
        place = urlsplit(proxy)
        usable = place.scheme in ("http", "https") and place.hostname and place.port != 0 and proxy.split() == [proxy]
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"The environment's proxy ({scheme}_proxy) is not an address: it must be one such as http://host:port."
        )
    return proxy
