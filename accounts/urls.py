"""Addresses of the account pages."""

from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.urls import path, reverse_lazy

from accounts import views

urlpatterns = [
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("welcome/<str:uidb64>/<str:token>/", views.WelcomeView.as_view(), name="welcome"),
    path("settings/", views.settings, name="settings"),
    path("account/", views.account, name="tokens"),
    path(
        "account/password/",
        PasswordChangeView.as_view(
            template_name="accounts/password.html", success_url=reverse_lazy("settings")
        ),
        name="password",
    ),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
    path("people/", views.people, name="people"),
    path("people/<int:pk>/active/", views.set_active, name="set_active"),
    path("people/<int:pk>/skills/", views.note_skills, name="note_skills"),
    path("audit/", views.audit_log, name="audit"),
]
