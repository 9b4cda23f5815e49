from django.urls import path

from lockstep.web.lists import views

app_name = "lists"

urlpatterns = [
    path("", views.index, name="index"),
    path("<slug:kind>", views.one_list, name="list"),
    path("<slug:kind>/add", views.add, name="add"),
    path("<slug:kind>/order", views.order, name="order"),
    path("<slug:kind>/<int:value_id>/edit", views.edit, name="edit"),
    path("<slug:kind>/<int:value_id>/rename", views.rename, name="rename"),
    path("<slug:kind>/<int:value_id>/move", views.move, name="move"),
    path("<slug:kind>/<int:value_id>/merge", views.merge, name="merge"),
    path("<slug:kind>/<int:value_id>/retire", views.retire, name="retire"),
    path("<slug:kind>/<int:value_id>/delete", views.delete, name="delete"),
]
