"""Addresses of the API that brings people in and looks after them."""

from django.urls import path

from labeling.api import people, raters_work

RATER = "campaigns/<slug:slug>/raters/<str:username>/"

urlpatterns = [
    path("join/", people.Join.as_view(), name="api_join"),
    path("invitations/", people.Links.as_view(), name="api_invitations"),
    path("invitations/list/", people.ListOfLinks.as_view(), name="api_invitation_list"),
    path("invitations/<int:pk>/", people.Link.as_view(), name="api_invitation"),
    path("pools/", people.Pools.as_view(), name="api_pools"),
    path("pools/<int:pk>/", people.OnePool.as_view(), name="api_pool"),
    path("pools/<int:pk>/members/", people.PoolMembers.as_view(), name="api_pool_members"),
    path("pools/<int:pk>/members/<str:username>/", people.PoolMember.as_view(), name="api_pool_member"),
    path(
        "campaigns/<slug:slug>/invitations/", people.CampaignLinks.as_view(), name="api_campaign_invitations"
    ),
    path(
        "campaigns/<slug:slug>/invitations/list/",
        people.CampaignListOfLinks.as_view(),
        name="api_campaign_invitation_list",
    ),
    path(
        "campaigns/<slug:slug>/invitations/<int:pk>/",
        people.CampaignLink.as_view(),
        name="api_campaign_invitation",
    ),
    path("campaigns/<slug:slug>/pools/", people.CampaignPools.as_view(), name="api_campaign_pools"),
    path("campaigns/<slug:slug>/pools/<int:pk>/", people.CampaignPool.as_view(), name="api_campaign_pool"),
    path("campaigns/<slug:slug>/message/", raters_work.MessageAll.as_view(), name="api_message_raters"),
    path(f"{RATER}message/", raters_work.MessageOne.as_view(), name="api_message_rater"),
    path(f"{RATER}pause/", raters_work.Pause.as_view(), name="api_pause_rater"),
    path(f"{RATER}release/", raters_work.ReleaseWork.as_view(), name="api_release_rater"),
    path(f"{RATER}skills/", raters_work.RaterSkills.as_view(), name="api_rater_skills"),
    path("feedback/<int:pk>/read/", raters_work.ReadWord.as_view(), name="api_read_word"),
]
