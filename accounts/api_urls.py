"""Addresses of the API about people."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("me/", api.Me.as_view(), name="api_me"),
    path("me/settings/", api.OwnSettings.as_view(), name="api_own_settings"),
    path("tokens/", api.Tokens.as_view(), name="api_tokens"),
    path("tokens/<int:pk>/", api.Token.as_view(), name="api_token"),
    path("people/", api.People.as_view(), name="api_people"),
    path("people/<int:pk>/skills/", api.PersonSkills.as_view(), name="api_person_skills"),
]
