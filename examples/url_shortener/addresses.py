"""Where links may lead."""

import os
import re
from urllib.parse import urlsplit

from micropie import Fault, ascii_host

HOSTS = os.environ.get("HOSTS", "localhost 127.0.0.1").split()  # the names that this site answers to


def faults_of_url(url):
    """What is wrong with where a link is to lead; it is never fetched."""
    try:
        parts = urlsplit(url)
        host, is_web = ascii_host(parts.hostname or ""), parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        host, is_web = "", False
    if (
        not is_web
        or not re.fullmatch(r"[a-z0-9.:-]+", host)
        or re.search(r"[\s\\\x00-\x1f\x7f-\x9f\ud800-\udfff]", url)
    ):
        yield Fault("body", "url", "expected an address that begins with https:// or http://")
    elif "@" in parts.netloc:
        yield Fault("body", "url", "has a user name, by which it could look like another site's")
    elif host.rstrip(".") in HOSTS:
        yield Fault("body", "url", "leads to this site")
