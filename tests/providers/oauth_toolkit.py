"""django-oauth-toolkit, a real authorization server, headless on 127.0.0.1, for `test_oauth2_real_server.py`.

Run as a program of its own, because Django configures itself once a process. It prints one JSON line when it is ready
and ends when its standard input closes. Its database is in memory.
"""

from __future__ import annotations

import json
import sys
import threading
import wsgiref.simple_server
from importlib import import_module as load  # Django has no types, and may not be installed where mypy runs
from typing import Any

SCOPES = {"read": "Read", "write": "Write", "introspection": "Introspect"}


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Requests hold secrets; nothing is logged."""


def main() -> None:
    load("django.conf").settings.configure(
        SECRET_KEY="only-for-this-test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="__main__",
        USE_TZ=True,
        INSTALLED_APPS=[*(f"django.contrib.{app}" for app in ("auth", "contenttypes", "sessions")), "oauth2_provider"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:toolkit?mode=memory&cache=shared",
                               "OPTIONS": {"uri": True}}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={
            "SCOPES": SCOPES,
            "DCR_ENABLED": True,
            "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "ALLOWED_SCHEMES": ["http", "https"],
            "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGGING_CONFIG=None,
    )  # fmt: skip


def urlpatterns_of() -> list[Any]:
    urls = load("django.urls")
    return [
        *load(
            "oauth2_provider.urls"
        ).metadata_urlpatterns,  # RFC 8414 wants them at the root, whatever the issuer's path
        urls.path("o/", urls.include("oauth2_provider.urls", namespace="oauth2_provider")),
    ]


def serve() -> None:
    load("django").setup()
    globals()["urlpatterns"] = urlpatterns_of()
    load("django.core.management").call_command("migrate", verbosity=0)
    application = load("django.core.wsgi").get_wsgi_application()
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=_Quiet)

    def until_nobody_asks() -> None:
        sys.stdin.read()
        server.shutdown()

    threading.Thread(target=until_nobody_asks, daemon=True).start()
    print(json.dumps({"issuer": f"http://127.0.0.1:{server.server_port}/o"}), flush=True)  # noqa: T201  # its one answer
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
    serve()
