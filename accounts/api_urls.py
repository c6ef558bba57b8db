"""Addresses of the API about people."""

from django.urls import path

from accounts import api, audit_api, session_api

urlpatterns = [
    path("me/", api.Me.as_view(), name="api_me"),
    path("me/settings/", api.OwnSettings.as_view(), name="api_own_settings"),
    path("tokens/", api.Tokens.as_view(), name="api_tokens"),
    path("tokens/<int:pk>/", api.Token.as_view(), name="api_token"),
    path("audit/", audit_api.Events.as_view(), name="api_audit"),
    path("people/", api.People.as_view(), name="api_people"),
    path("me/sessions/", session_api.Sessions.as_view(), name="api_sessions"),
    path("me/sessions/<str:name>/", session_api.OneSession.as_view(), name="api_session"),
    path("people/<int:pk>/active/", session_api.SetActive.as_view(), name="api_set_active"),
    path("people/<int:pk>/sign-out/", session_api.SignOut.as_view(), name="api_sign_out_person"),
    path("people/<int:pk>/remove-factor/", session_api.RemoveFactor.as_view(), name="api_remove_factor"),
    path("people/<int:pk>/skills/", api.PersonSkills.as_view(), name="api_person_skills"),
]
