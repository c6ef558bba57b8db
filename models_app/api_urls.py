"""Addresses of the registry's API."""

from django.urls import path

from models_app import api, samples_api

urlpatterns = [
    path("models/", api.Models.as_view(), name="api_models"),
    path("models/roll-back/", api.RollBack.as_view(), name="api_roll_back"),
    path("models/samples/", samples_api.AskSample.as_view(), name="api_model_samples"),
    path("models/samples/<slug:key>/", samples_api.OneSample.as_view(), name="api_model_sample"),
    path("models/<int:pk>/", api.Model.as_view(), name="api_model"),
    path("models/<int:pk>/score/", api.AskScores.as_view(), name="api_score"),
    path("models/<int:pk>/score/<slug:key>/", api.FindScores.as_view(), name="api_scored"),
    path("models/<int:pk>/promote/", api.Promote.as_view(), name="api_promote"),
]
