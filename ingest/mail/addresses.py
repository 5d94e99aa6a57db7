"""Web addresses in mails: those that a gateway has wrapped are unwrapped, so that the platform's own is seen."""

from urllib.parse import parse_qs, unquote, urlsplit

# Hosts of Microsoft (Safe Links), Google, Barracuda, Proofpoint (version 2): the parameter that holds the address.
_WRAPPERS = {
    "safelinks.protection.outlook.com": "url",
    "www.google.com": "q",
    "linkprotect.cudasvc.com": "a",
    "urldefense.proofpoint.com": "u",
}
_PROOFPOINT_3 = ("https://urldefense.com/v3/__", "__;")  # what stands around the address
_MAX_WRAPPINGS = 3  # a mail that was passed on twice is wrapped twice
_MAX_PARAMETERS = 50


def unwrap(address: str) -> str:
    """Return the address that a gateway's link leads to; any other address as it is."""
    for _ in range(_MAX_WRAPPINGS):
        inner = _unwrap_once(address)
        if inner == address:
            break
        address = inner
    return address


def _unwrap_once(address: str) -> str:
    before, after = _PROOFPOINT_3
    if address.startswith(before):
        return address.removeprefix(before).partition(after)[0]
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
        parameter = _parameter_of(host, parts.path)
        values = parse_qs(parts.query, max_num_fields=_MAX_PARAMETERS).get(parameter, [""])
    except ValueError:
        return address
    inner = values[0]
    if host == "urldefense.proofpoint.com":
        inner = unquote(inner.replace("-", "%").replace("_", "/"))
    return inner if inner.startswith(("http://", "https://")) else address


def _parameter_of(host: str, path: str) -> str:
    """Return the name of the parameter that holds the address; empty where the host wraps none."""
    if host == "www.google.com" and path != "/url":
        return ""
    return next((name for wrapper, name in _WRAPPERS.items() if f".{host}".endswith(f".{wrapper}")), "")
