"""The web application, for uvicorn or any other ASGI server."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")

application = get_asgi_application()
