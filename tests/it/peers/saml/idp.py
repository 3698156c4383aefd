"""An identity provider by pysaml2, on a port of its own; prints its address. Whoever comes is signed in at once.

`PUT /sp` tells it of the service provider and of who comes: {metadata, name, format, attributes, sign_response,
sign_assertion, encrypt, authn_instant}. `GET /log` is what it saw.
"""

import json
import os
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORD
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NameID
from saml2.server import Server
from saml2.sigver import get_xmlsec_binary
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

GIVEN = json.load(sys.stdin)
WORK = tempfile.mkdtemp()
LOG, STATE = [], {}


def file(name, text):
    path = os.path.join(WORK, name)
    with open(path, "w") as out:
        out.write(text)
    return path


KEY, CERT = file("key.pem", GIVEN["key"]), file("cert.pem", GIVEN["cert"])


def configured(metadata=None):
    config = {
        "entityid": BASE + "/metadata",
        "xmlsec_binary": get_xmlsec_binary(),
        "key_file": KEY,
        "cert_file": CERT,
        "signing_algorithm": SIG_RSA_SHA256,
        "digest_algorithm": DIGEST_SHA256,
        "service": {"idp": {
            "endpoints": {
                "single_sign_on_service": [(BASE + "/sso", BINDING_HTTP_REDIRECT)],
                "single_logout_service": [(BASE + "/slo", BINDING_HTTP_REDIRECT)],
            },
            "want_authn_requests_signed": True,
            "policy": {"default": {"lifetime": {"minutes": 15}, "attribute_restrictions": None}},
        }},
    }
    if metadata:
        config["metadata"] = {"inline": [metadata]}
    return IdPConfig().load(config)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body="", media="text/html", location=None):
        self.send_response(status)
        self.send_header("Content-Type", media)
        if location:
            self.send_header("Location", location)
        data = body.encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        STATE.update(given)
        STATE["server"] = Server(config=configured(given["metadata"]))
        STATE["sp"] = next(iter(STATE["server"].metadata.keys()))
        self.answer(200)

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        try:
            getattr(self, "on_" + path.strip("/"))({name: values[0] for name, values in query.items()})
        except Exception as error:  # the test reads it
            LOG.append(repr(error))
            self.answer(500, repr(error))

    def on_metadata(self, _):
        self.answer(200, str(entity_descriptor(configured())), "application/samlmetadata+xml")

    def on_log(self, _):
        self.answer(200, json.dumps(LOG), "application/json")

    def name(self):
        return NameID(format=STATE["format"], text=STATE["name"])

    def respond(self, request_id, acs):
        response = STATE["server"].create_authn_response(
            STATE["attributes"], request_id, acs, STATE["sp"], name_id=self.name(),
            authn={"class_ref": PASSWORD, "authn_auth": BASE, "authn_instant": STATE.get("authn_instant")},
            sign_response=STATE["sign_response"], sign_assertion=STATE["sign_assertion"],
            encrypt_assertion=STATE.get("encrypt", False), encrypt_assertion_self_contained=True,
            sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256)
        form = STATE["server"].apply_binding(BINDING_HTTP_POST, str(response), acs, "", response=True)
        self.answer(200, form["data"])

    def on_sso(self, query):
        request = STATE["server"].parse_authn_request(
            query["SAMLRequest"], BINDING_HTTP_REDIRECT, query.get("RelayState"), query.get("SigAlg"),
            query.get("Signature"))
        LOG.append({"request": request.message.id, "signed": "Signature" in query,
                    "force_authn": request.message.force_authn})
        acs = request.message.assertion_consumer_service_url
        self.respond(request.message.id, acs)

    def on_unsolicited(self, _):
        services = STATE["server"].metadata.assertion_consumer_service(STATE["sp"])
        self.respond(None, services[0]["location"])

    def on_slo(self, query):
        server = STATE["server"]
        if "SAMLResponse" in query:
            answer = server.parse_logout_request_response(
                query["SAMLResponse"], BINDING_HTTP_REDIRECT)
            LOG.append({"logged_out": answer.status_ok(), "in_response_to": answer.response.in_response_to})
            return self.answer(200, "done")
        request = server.parse_logout_request(
            query["SAMLRequest"], BINDING_HTTP_REDIRECT, relay_state=query.get("RelayState"),
            sigalg=query.get("SigAlg"), signature=query.get("Signature"))
        message = request.message
        LOG.append({"logout": message.name_id.text, "format": message.name_id.format,
                    "sessions": [index.text for index in message.session_index],
                    "signed": "Signature" in query})
        response = server.create_logout_response(message, [BINDING_HTTP_REDIRECT])
        self.redirect(response, self.there(), True)

    def there(self):
        services = STATE["server"].metadata.single_logout_service(
            STATE["sp"], BINDING_HTTP_REDIRECT, "spsso")
        return services[0]["location"]

    def redirect(self, message, destination, is_response):
        info = STATE["server"].apply_binding(
            BINDING_HTTP_REDIRECT, str(message), destination, "state", response=is_response, sign=True,
            sigalg=SIG_RSA_SHA256)
        self.answer(302, location=dict(info["headers"])["Location"])

    def on_logout(self, query):
        """The identity provider's own user signs out: it asks the service provider to end the sessions too."""
        sessions = [query["session"]] if "session" in query else None
        _, message = STATE["server"].create_logout_request(
            self.there(), STATE["sp"], name_id=self.name(), session_indexes=sessions)
        self.redirect(message, self.there(), False)


SERVER = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
BASE = f"http://127.0.0.1:{SERVER.server_port}"
print(BASE, flush=True)
SERVER.serve_forever()
