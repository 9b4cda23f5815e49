from django.urls import path

from lockstep.web.campaigns import lists, one, settings

app_name = "campaigns"

urlpatterns = [
    path("", lists.index, name="index"),
    path("refresh", lists.refresh, name="refresh"),
    path("clients", lists.clients, name="clients"),
    path("quiet", lists.quiet, name="quiet"),
    path("settings", settings.settings_page, name="settings"),
    path("settings/digest", settings.digest_choice, name="digest"),
    path("<int:campaign_id>", one.campaign, name="campaign"),
    path("<int:campaign_id>/contacts", one.contacts, name="contacts"),
    path("of-contact/<int:contact_id>", one.of_contact_live, name="of_contact"),
]
