"""Who somebody is: passwords, links that can't be forged, and guards that ask for the header `Authorization`.

from micropie.auth import BasicAuth, BearerAuth, Signer, hash_password, verify_password

class Admin(Controller):
    _before = BasicAuth(check)
"""

from micropie.auth.guards import BasicAuth, BearerAuth
from micropie.auth.passwords import hash_password, needs_rehash, verify_password
from micropie.signing import ExpiredToken, InvalidToken, Signer, same_secret

__all__ = [
    "BasicAuth",
    "BearerAuth",
    "ExpiredToken",
    "InvalidToken",
    "Signer",
    "hash_password",
    "needs_rehash",
    "same_secret",
    "verify_password",
]
