"""An application that knows OpenID Connect by Authlib alone. It is told where its provider is, who it is
itself, and which cookie its person's browser has; it prints what it got, as JSON. Whatever the library
refuses ends it with an error."""

import json
import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url

told = json.loads(sys.argv[1])
document = requests.get(get_well_known_url(told["issuer"], external=True), timeout=20).json()
metadata = OpenIDProviderMetadata(document)
# Its checks of schemes know no development on one's own machine.
for name in ("validate_response_types_supported", "validate_subject_types_supported",
             "validate_id_token_signing_alg_values_supported", "validate_scopes_supported",
             "validate_grant_types_supported", "validate_code_challenge_methods_supported",
             "validate_token_endpoint_auth_methods_supported"):
    getattr(metadata, name)()

session = OAuth2Session(
    told["id"], told["secret"] or None, scope="openid profile email", redirect_uri=told["redirect_uri"],
    token_endpoint_auth_method=told["method"], code_challenge_method="S256",
    revocation_endpoint_auth_method=told["method"],
)
verifier, nonce = generate_token(64), generate_token(20)
to, state = session.create_authorization_url(
    document["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
browser = requests.get(to, headers={"Cookie": told["cookie"]}, allow_redirects=False, timeout=20)
tokens = session.fetch_token(
    document["token_endpoint"], authorization_response=browser.headers["Location"], state=state,
    code_verifier=verifier)

keys = JsonWebKey.import_key_set(requests.get(document["jwks_uri"], timeout=20).json())
claims = JsonWebToken([told["algorithm"]]).decode(
    tokens["id_token"], keys, claims_cls=CodeIDToken,
    claims_options={"iss": {"values": [told["issuer"]]}, "aud": {"values": [told["id"]]}},
    claims_params={"nonce": nonce, "client_id": told["id"], "access_token": tokens["access_token"]})
claims.validate(leeway=60)
info = session.get(document["userinfo_endpoint"]).json()
following = session.refresh_token(document["token_endpoint"], refresh_token=tokens["refresh_token"])


def introspect(token):
    if told["method"] == "none":
        return None
    return session.introspect_token(document["introspection_endpoint"], token=token).json()


before = introspect(following["access_token"])
session.revoke_token(document["revocation_endpoint"], token=following["refresh_token"]).raise_for_status()
after = introspect(following["access_token"])
print(json.dumps({"claims": dict(claims), "info": info, "before": before, "after": after}))
