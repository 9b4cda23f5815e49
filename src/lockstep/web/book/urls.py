"""Addresses of the book. Mailchimp's “Contact URL” and “Client URL” fields hold these, so they stay."""

from django.urls import path
from django.views.generic import RedirectView

from lockstep.web.book import bulk, clients, contacts, imports, marketing, merging, sample

app_name = "book"

urlpatterns = [
    path("clients", clients.client_list, name="clients"),
    path("clients/new", clients.new_client, name="new_client"),
    path("clients/bulk", bulk.bulk_clients, name="bulk_clients"),
    path("clients/merge", merging.merge_client_page, name="merge_clients"),
    path("clients/duplicates", merging.twin_clients, name="twin_clients"),
    path("clients/distinct", merging.distinct_clients, name="distinct_clients"),
    path("contacts/distinct", merging.distinct_contacts, name="distinct_contacts"),
    path("contacts/bulk", bulk.bulk_contacts, name="bulk_contacts"),
    path("contacts/merge", merging.merge_contact_page, name="merge_contacts"),
    path("contacts/duplicates", merging.twin_contacts, name="twin_contacts"),
    path("changes", bulk.change_list, name="changes"),
    path("changes/<int:bulk_id>", bulk.change_page, name="change"),
    path("changes/<int:bulk_id>/undo", bulk.undo_bulk, name="undo_bulk"),
    path("history/<int:entry_id>/undo", bulk.undo_change, name="undo_change"),
    path("clients/<int:client_id>", clients.client_profile, name="client"),
    path("clients/<int:client_id>/contacts", clients.client_contacts, name="client_contacts"),
    path("clients/<int:client_id>/contacts/new", contacts.new_contact, name="new_contact"),
    path("clients/<int:client_id>/contacts/add", contacts.quick_contact, name="quick_contact"),
    path("clients/<int:client_id>/activity", clients.client_activity, name="client_activity"),
    path("clients/<int:client_id>/edit", clients.edit_client, name="edit_client"),
    path("clients/<int:client_id>/nested", clients.nested_contacts, name="nested_contacts"),
    path("clients/<int:client_id>/delete", clients.remove_client, name="delete_client"),
    path("clients/<int:client_id>/restore", clients.bring_back_client, name="restore_client"),
    # The fields in Mailchimp end with a slash.
    path("clients/<int:client_id>/", RedirectView.as_view(pattern_name="book:client", permanent=True)),
    path("contacts/<int:contact_id>/", RedirectView.as_view(pattern_name="book:contact", permanent=True)),
    path("contacts", contacts.contact_list, name="contacts"),
    path("contacts.csv", contacts.export_contacts, name="export_contacts"),
    path("contacts.xlsx", contacts.export_contacts_xlsx, name="export_contacts_xlsx"),
    path("contacts/<int:contact_id>", contacts.contact_page, name="contact"),
    path("contacts/<int:contact_id>/marketing", marketing.contact_marketing, name="contact_marketing"),
    path("contacts/<int:contact_id>/sync-instead", marketing.sync_instead, name="sync_instead"),
    path("contacts/<int:contact_id>/sync-newest", marketing.sync_newest, name="sync_newest"),
    path("contacts/<int:contact_id>/sync-now", marketing.sync_now, name="sync_now"),
    path("contacts/<int:contact_id>/history", contacts.contact_history, name="contact_history"),
    path("contacts/<int:contact_id>/row", contacts.contact_row, name="contact_row"),
    path("contacts/<int:contact_id>/edit", contacts.edit_contact, name="edit_contact"),
    path("contacts/<int:contact_id>/no-marketing", contacts.mark_no_marketing, name="no_marketing"),
    path("contacts/<int:contact_id>/delete", contacts.remove_contact, name="delete_contact"),
    path("contacts/<int:contact_id>/restore", contacts.bring_back_contact, name="restore_contact"),
    path("import", imports.import_start, name="import"),
    path("import/<int:import_id>", imports.import_page, name="import_page"),
    path("import/<int:import_id>/refused.csv", imports.refused_file, name="refused_file"),
    path("sample/load", sample.load, name="load_sample"),
    path("sample/remove", sample.remove, name="remove_sample"),
]
