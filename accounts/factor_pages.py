"""The pages of second factors: asked for on the way in, set up, taken away; and "is it still you?".

accounts.urls loads them when one is asked for: the library brings what few processes need.
"""

from collections.abc import Callable
from typing import Any

from allauth.account.views import ReauthenticateView as ConfirmPassword
from allauth.mfa.base.views import AuthenticateView, IndexView, ReauthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from accounts import two_factors
from accounts.passkey_forms import PasskeyForm
from accounts.roles import require, signed_in_user

own: list[Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]] = [
    require("own_account"),
    never_cache,
]


class AskFactor(AuthenticateView):
    template_name = "accounts/ask_factor.html"
    webauthn_form_class = PasskeyForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say which factors they have."""
        types = set(Authenticator.objects.filter(user=self.stage.login.user).values_list("type", flat=True))
        has = {"passkeys": Authenticator.Type.WEBAUTHN in types, "app": Authenticator.Type.TOTP in types}
        return {**super().get_context_data(**kwargs), **has}


@method_decorator(own, name="dispatch")
class Factors(IndexView):
    template_name = "accounts/two_factors.html"


@method_decorator(own, name="dispatch")
class SetUp(ActivateTOTPView):
    template_name = "accounts/two_factors_set_up.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        two_factors.note(
            self.request, signed_in_user(self.request), "set up second factor", Authenticator.Type.TOTP
        )
        return response


@method_decorator(own, name="dispatch")
class TakeAway(DeactivateTOTPView):
    template_name = "accounts/two_factors_remove.html"
    success_url = reverse_lazy("mfa_index")

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        two_factors.note(self.request, signed_in_user(self.request), "remove second factor")
        return response


@method_decorator(own, name="dispatch")
class Codes(ViewRecoveryCodesView):
    template_name = "accounts/recovery_codes.html"


@method_decorator(own, name="dispatch")
class NewCodes(GenerateRecoveryCodesView):
    template_name = "accounts/recovery_codes_new.html"


class ConfirmByPassword(ConfirmPassword):
    template_name = "accounts/confirm.html"


class ConfirmByFactor(ReauthenticateView):
    template_name = "accounts/confirm.html"
