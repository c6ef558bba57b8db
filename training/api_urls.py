"""Addresses of the API of snapshots and runs."""

from django.urls import path

from training import (
    alarms_api,
    api,
    downloads_api,
    judging_api,
    leaderboard_api,
    plots_api,
    selection_api,
    statement_api,
    watch_api,
    withdrawal_api,
)

urlpatterns = [
    path("campaigns/<slug:slug>/leaderboard/", leaderboard_api.Leaderboard.as_view(), name="api_leaderboard"),
    path("leaderboards/", leaderboard_api.Champions.as_view(), name="api_leaderboards"),
    path("campaigns/<slug:slug>/selection/", selection_api.Selection.as_view(), name="api_selection"),
    path("campaigns/<slug:slug>/plots/", plots_api.CampaignPlots.as_view(), name="api_campaign_plots"),
    path(
        "campaigns/<slug:slug>/plots/<slug:key>/",
        plots_api.CampaignPlot.as_view(),
        name="api_campaign_plot",
    ),
    path("campaigns/<slug:slug>/snapshots/", api.Snapshots.as_view(), name="api_snapshots"),
    path("campaigns/<slug:slug>/judges/", judging_api.Judges.as_view(), name="api_judges"),
    path("campaigns/<slug:slug>/targets/", judging_api.Targets.as_view(), name="api_targets"),
    path("campaigns/<slug:slug>/targets/<int:pk>/", judging_api.OneTarget.as_view(), name="api_target"),
    path("campaigns/<slug:slug>/alarms/", alarms_api.Alarms.as_view(), name="api_alarms"),
    path("campaigns/<slug:slug>/watches/", watch_api.Watches.as_view(), name="api_watches"),
    path("campaigns/<slug:slug>/snapshots/count/", api.SnapshotCount.as_view(), name="api_snapshot_count"),
    path("campaigns/<slug:slug>/runs/", api.Runs.as_view(), name="api_runs"),
    path("campaigns/<slug:slug>/statement/", statement_api.OneStatement.as_view(), name="api_statement"),
    path("withdrawals/notices/", statement_api.Notices.as_view(), name="api_notices"),
    path("withdrawals/", withdrawal_api.Withdrawals.as_view(), name="api_withdrawals"),
    path("snapshots/<int:pk>/datasheet/", withdrawal_api.Datasheet.as_view(), name="api_datasheet"),
    path("snapshots/", api.FoundSnapshots.as_view(), name="api_found_snapshots"),
    path("snapshots/<int:pk>/", api.OneSnapshot.as_view(), name="api_snapshot"),
    path(
        "snapshots/<int:first>/to/<int:second>/",
        api.SnapshotDifference.as_view(),
        name="api_snapshot_difference",
    ),
    path("snapshots/<int:pk>/download/", downloads_api.OneDownload.as_view(), name="api_download"),
    path("snapshots/<int:pk>/links/", downloads_api.Links.as_view(), name="api_links"),
    path("links/<int:pk>/", downloads_api.OneLink.as_view(), name="api_link"),
    path("preparations/<int:pk>/", downloads_api.OnePreparation.as_view(), name="api_preparation"),
    path("models/<int:pk>/card/", api.Card.as_view(), name="api_model_card"),
    path("runs/<int:pk>/", api.OneRun.as_view(), name="api_run"),
    path("runs/<int:pk>/metrics/", api.Metrics.as_view(), name="api_metrics"),
    path("runs/<int:pk>/plots/", plots_api.RunPlots.as_view(), name="api_run_plots"),
    path("runs/<int:pk>/plots/<path:key>/", plots_api.RunPlot.as_view(), name="api_run_plot"),
    path("runs/<int:pk>/log/", plots_api.RunLog.as_view(), name="api_run_log"),
    path("runs/<int:pk>/cancel/", api.Cancel.as_view(), name="api_cancel_run"),
    path("runs/<int:pk>/retry/", api.Retry.as_view(), name="api_retry_run"),
]
