"""Addresses of the pages that bring people in and look after them: links, pools, a rater's work."""

from django.urls import path

from labeling.views import invitations, pools, raters_work

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
    path("campaigns/<slug:slug>/message/", raters_work.message_all, name="message_raters"),
    path("campaigns/<slug:slug>/raters/<int:pk>/message/", raters_work.message_one, name="message_rater"),
    path("campaigns/<slug:slug>/raters/<int:pk>/pause/", raters_work.pause, name="pause_rater"),
    path("campaigns/<slug:slug>/raters/<int:pk>/release/", raters_work.release, name="release_rater"),
    path("campaigns/<slug:slug>/raters/<int:pk>/skills/", raters_work.note_skills, name="rater_skills"),
    path("feedback/<int:pk>/read/", raters_work.read_word, name="read_word"),
    path("campaigns/<slug:slug>/pools/", pools.use, name="use_pool"),
    path("campaigns/<slug:slug>/pools/<int:pk>/drop/", pools.drop, name="drop_pool"),
]
