"""Addresses of the registry's pages."""

from django.urls import path

from models_app import views

urlpatterns = [
    path("", views.models, name="models"),
    path("register/", views.register, name="register_model"),
    path("samples/<slug:key>/", views.sample, name="model_sample"),
    path("<int:pk>/promote/", views.promote, name="promote"),
    path("<int:pk>/roll-back/", views.roll_back, name="roll_back"),
]
