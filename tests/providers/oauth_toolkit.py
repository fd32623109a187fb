"""django-oauth-toolkit, a real authorization server, headless on 127.0.0.1, for the tests here and in tests/oauth.

Run as a program of its own, because Django configures itself once a process. It prints one JSON line when it is ready
and ends when its standard input closes. Its database is in memory. `/_control/` is ours: it logs a person in, shows
what lives, and plays an administrator.
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
        INSTALLED_APPS=[
            *(f"django.contrib.{app}" for app in ("auth", "contenttypes", "sessions", "messages")), "oauth2_provider"
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                    "OPTIONS": {"context_processors": ["django.template.context_processors.request"]}}],
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
            "OAUTH_DEVICE_VERIFICATION_URI": "http://127.0.0.1/o/device/",  # its port is filled in when it is known
            "DEVICE_FLOW_INTERVAL": 1,
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGGING_CONFIG=None,
    )  # fmt: skip


def control(request: Any, action: str) -> Any:
    """login: the session cookie of a person. show: whose tokens live, by client. forget, rename: an administrator."""
    models = load("oauth2_provider.models")
    now = load("django.utils.timezone").now()
    if action == "login":
        person, _ = load("django.contrib.auth").get_user_model().objects.get_or_create(username="person")
        load("django.contrib.auth").login(request, person, backend="django.contrib.auth.backends.ModelBackend")
        return load("django.http").JsonResponse({})
    client = request.GET.get("client", "")
    if action == "forget":
        models.Application.objects.filter(client_id=client).delete()
    elif action == "rename":
        models.Application.objects.filter(client_id=client).update(name="renamed by hand")
    elif action == "withdraw":
        for token in (*models.RefreshToken.objects.all(), *models.AccessToken.objects.filter(scope__contains="read")):
            token.revoke()
    ours = [a.client_id for a in models.Application.objects.all()]
    alive = models.AccessToken.objects.filter(expires__gt=now, application__isnull=False)
    alive = alive.exclude(scope="oauth2_provider:registration")
    renewable = models.RefreshToken.objects.filter(revoked__isnull=True)
    return load("django.http").JsonResponse(
        {"clients": ours, "alive": [t.application.client_id for t in (*alive, *renewable)]}
    )


def urlpatterns_of() -> list[Any]:
    urls = load("django.urls")
    return [
        *load(
            "oauth2_provider.urls"
        ).metadata_urlpatterns,  # RFC 8414 wants them at the root, whatever the issuer's path
        urls.path("_control/<slug:action>", control),
        urls.path("o/", urls.include("oauth2_provider.urls", namespace="oauth2_provider")),
    ]


def serve() -> None:
    load("django").setup()
    globals()["urlpatterns"] = urlpatterns_of()
    load("django.core.management").call_command("migrate", verbosity=0)
    application = load("django.core.wsgi").get_wsgi_application()
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=_Quiet)

    load(
        "oauth2_provider.settings"
    ).oauth2_settings.OAUTH_DEVICE_VERIFICATION_URI = f"http://127.0.0.1:{server.server_port}/o/device/"

    def until_nobody_asks() -> None:
        sys.stdin.read()
        server.shutdown()

    threading.Thread(target=until_nobody_asks, daemon=True).start()
    print(json.dumps({"issuer": f"http://127.0.0.1:{server.server_port}/o"}), flush=True)  # noqa: T201  # its one answer
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
    serve()
