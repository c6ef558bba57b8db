"""Addresses of the pages that bring people in: links, and pools."""

from django.urls import path

from labeling.views import invitations, pools

urlpatterns = [
    path("join/<str:token>/", invitations.join, name="join"),
    path("people/invitations/", invitations.everywhere, name="invitations"),
    path("people/invitations/<int:pk>/revoke/", invitations.revoke, name="revoke_invitation"),
    path("people/pools/", pools.list_, name="pools"),
    path("people/pools/<int:pk>/", pools.one, name="pool"),
    path("people/pools/<int:pk>/delete/", pools.delete, name="delete_pool"),
    path("people/pools/<int:pk>/members/<int:user>/leave/", pools.leave, name="leave_pool"),
    path("campaigns/<slug:slug>/invitations/", invitations.in_campaign, name="campaign_invitations"),
    path(
        "campaigns/<slug:slug>/invitations/<int:pk>/revoke/",
        invitations.revoke_in_campaign,
        name="revoke_campaign_invitation",
    ),
    path("campaigns/<slug:slug>/pools/", pools.use, name="use_pool"),
    path("campaigns/<slug:slug>/pools/<int:pk>/drop/", pools.drop, name="drop_pool"),
]
