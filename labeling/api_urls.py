"""Addresses of labeling's API."""

from django.urls import path

from labeling.api import assigning, campaigns, chat, feedback, history, imports, onboarding, rating, records

urlpatterns = [
    path("campaigns/", campaigns.Campaigns.as_view(), name="api_campaigns"),
    path("campaigns/<slug:slug>/", campaigns.OneCampaign.as_view(), name="api_campaign"),
    path("campaigns/<slug:slug>/loop/", campaigns.Loop.as_view(), name="api_loop"),
    path("campaigns/<slug:slug>/guidelines/", campaigns.Guidelines.as_view(), name="api_guidelines"),
    path("campaigns/<slug:slug>/criteria/", campaigns.Criteria.as_view(), name="api_criteria"),
    path(
        "campaigns/<slug:slug>/criteria/<slug:key>/", campaigns.OneCriterion.as_view(), name="api_criterion"
    ),
    path("campaigns/<slug:slug>/raters/", campaigns.Raters.as_view(), name="api_raters"),
    path("campaigns/<slug:slug>/raters/<str:username>/", campaigns.Rater.as_view(), name="api_rater"),
    path(
        "campaigns/<slug:slug>/raters/<str:username>/qualification/",
        onboarding.Qualification.as_view(),
        name="api_qualification",
    ),
    path("campaigns/<slug:slug>/examples/", onboarding.Examples.as_view(), name="api_examples"),
    path(
        "campaigns/<slug:slug>/examples/import/",
        onboarding.ImportExamples.as_view(),
        name="api_import_examples",
    ),
    path("campaigns/<slug:slug>/examples/<int:pk>/", onboarding.OneExample.as_view(), name="api_example"),
    path("campaigns/<slug:slug>/figures/", campaigns.Figures.as_view(), name="api_figures"),
    path("campaigns/<slug:slug>/imports/", imports.Imports.as_view(), name="api_imports"),
    path("campaigns/<slug:slug>/imports/<int:pk>/", imports.OneImport.as_view(), name="api_import"),
    path(
        "campaigns/<slug:slug>/imports/<int:pk>/cancel/",
        imports.CancelImport.as_view(),
        name="api_cancel_import",
    ),
    path(
        "campaigns/<slug:slug>/imports/<int:pk>/keep/", imports.KeepImport.as_view(), name="api_keep_import"
    ),
    path("campaigns/<slug:slug>/prompts/", records.Prompts.as_view(), name="api_prompts"),
    path("campaigns/<slug:slug>/rounds/", records.Rounds.as_view(), name="api_rounds"),
    path(
        "campaigns/<slug:slug>/rounds/<int:number>/close/",
        records.EndRound.as_view(verb="close"),
        name="api_close_round",
    ),
    path(
        "campaigns/<slug:slug>/rounds/<int:number>/cancel/",
        records.EndRound.as_view(verb="cancel"),
        name="api_cancel_round",
    ),
    path("campaigns/<slug:slug>/tasks/", records.Tasks.as_view(), name="api_tasks"),
    path("campaigns/<slug:slug>/tasks/priority/", assigning.Priority.as_view(), name="api_priority"),
    path("campaigns/<slug:slug>/tasks/<int:pk>/reserve/", assigning.Reserve.as_view(), name="api_reserve"),
    path("campaigns/<slug:slug>/judgments/", records.Judgments.as_view(), name="api_judgments"),
    path("campaigns/<slug:slug>/edits/", records.Edits.as_view(), name="api_edits"),
    path("campaigns/<slug:slug>/feedback/", feedback.GivenFeedback.as_view(), name="api_feedback"),
    path("history/", history.History.as_view(), name="api_history"),
    path("history/undo/", history.TakeBack.as_view(), name="api_history_undo"),
    path("feedback/", history.Words.as_view(), name="api_own_feedback"),
    path("rate/", rating.Ratable.as_view(), name="api_rate"),
    path("rate/<slug:slug>/start/", onboarding.WayIn.as_view(), name="api_way_in"),
    path("rate/<slug:slug>/start/guideline/", onboarding.ReadGuideline.as_view(), name="api_read_guideline"),
    path("rate/<slug:slug>/next/", rating.Next.as_view(), name="api_next"),
    path("rate/<slug:slug>/why/", rating.Why.as_view(), name="api_why"),
    path("rate/<slug:slug>/heartbeat/", rating.Heartbeat.as_view(), name="api_heartbeat"),
    path("rate/<slug:slug>/release/", rating.Release.as_view(), name="api_release"),
    path("rate/<slug:slug>/skip/", rating.SkipTask.as_view(), name="api_skip"),
    path("rate/<slug:slug>/undo/", rating.Undo.as_view(), name="api_undo"),
    path("rate/<slug:slug>/judgments/", rating.SubmitVerdict.as_view(), name="api_judge"),
    path("rate/<slug:slug>/rankings/", rating.SubmitRanking.as_view(), name="api_rank"),
    path("rate/<slug:slug>/chat/", chat.Chat.as_view(), name="api_chat"),
    path("rate/<slug:slug>/chat/messages/", chat.Say.as_view(), name="api_chat_say"),
    path("rate/<slug:slug>/chat/picks/", chat.Pick.as_view(), name="api_chat_pick"),
    path("rate/<slug:slug>/chat/retry/", chat.Retry.as_view(), name="api_chat_retry"),
    path("rate/<slug:slug>/chat/end/", chat.End.as_view(), name="api_chat_end"),
    path("rate/<slug:slug>/edits/", rating.SubmitEdit.as_view(), name="api_edit"),
]
