"""All pages. Each area has a folder with its urls and views; its templates are in templates/<area>/."""

from django.urls import include, path

from lockstep.web import home, hooks, styleguide
from lockstep.web.account.invitations import invitation

urlpatterns = [
    path("", home.home, name="home"),
    path("pulse", home.pulse, name="pulse"),
    path("hooks/mailchimp/<int:connection_id>/<str:secret>", hooks.mailchimp, name="mailchimp-webhook"),
    path("invitations/<str:token>", invitation, name="invitation"),
    path("styleguide", styleguide.styleguide, name="styleguide"),
    path("", include("lockstep.web.book.urls")),
    path("settings/", include("lockstep.web.account.urls")),
    path("settings/", include("lockstep.web.integrations.urls")),
    path("settings/lists/", include("lockstep.web.lists.urls")),
    path("settings/mailchimp/", include("lockstep.web.mailchimp.urls")),
    path("", include("lockstep.web.report.urls")),
    path("sync/", include("lockstep.web.sync.urls")),
    path("campaigns/", include("lockstep.web.campaigns.urls")),
]
