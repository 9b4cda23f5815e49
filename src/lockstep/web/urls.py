"""All pages. Each area has a folder with its urls and views; its templates are in templates/<area>/."""

from django.urls import include, path

from lockstep.web import home, styleguide

urlpatterns = [
    path("", home.home, name="home"),
    path("pulse", home.pulse, name="pulse"),
    path("styleguide", styleguide.styleguide, name="styleguide"),
    path("", include("lockstep.web.book.urls")),
    path("settings/", include("lockstep.web.account.urls")),
]
