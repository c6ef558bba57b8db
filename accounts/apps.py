from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who people are: users, roles, skills, tokens, audit."""

    name = "accounts"
