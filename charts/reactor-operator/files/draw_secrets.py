"""Create Secrets that do not exist yet, each with one random key.

In: words `NAME:KEY` as arguments; the pod's service account, which may create Secrets and nothing else.
Out: the Secrets. Never here: a look at one that exists, or a change of it, as what was signed with it must stay valid.
"""

import base64
import json
import secrets
import ssl
import sys
import urllib.error
import urllib.request

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def read(name: str) -> str:
    with open(f"{ACCOUNT}/{name}", encoding="utf-8") as file:
        return file.read().strip()


def create(name: str, key: str) -> None:
    value = base64.b64encode(secrets.token_hex(32).encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "reactor-operator"}},
        "data": {key: value},
    }
    request = urllib.request.Request(
        f"https://kubernetes.default.svc/api/v1/namespaces/{read('namespace')}/secrets",
        data=json.dumps(secret).encode(),
        headers={"Authorization": f"Bearer {read('token')}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(
            request, context=ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt"), timeout=30
        ):
            print(f"Secret {name}: created")
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise SystemExit(
                f"Secret {name}: the API answered {error.code}: {error.read().decode(errors='replace')}"
            ) from error
        print(f"Secret {name}: is there already")


for word in sys.argv[1:]:
    create(*word.split(":", 1))
