"""Addresses of the pages that see the whole loop."""

from django.urls import path

from training.views import campaign, judges, models, runs, selection, snapshots, targets, watch
from training.views import leaderboards as boards

urlpatterns = [
    path("campaigns/<slug:slug>/", campaign.campaign, name="campaign"),
    path("campaigns/<slug:slug>/live/", campaign.campaign_live, name="campaign_live"),
    path("campaigns/<slug:slug>/selection/", selection.selection, name="selection"),
    path("campaigns/<slug:slug>/selection/resume/", selection.resume, name="resume_selection"),
    path("campaigns/<slug:slug>/leaderboard/", boards.show, name="leaderboard"),
    path("campaigns/<slug:slug>/leaderboard/live/", boards.live, name="leaderboard_live"),
    path("campaigns/<slug:slug>/leaderboard/<slug:table>.csv", boards.download, name="leaderboard_csv"),
    path("leaderboards/", boards.everywhere, name="leaderboards"),
    path("campaigns/<slug:slug>/judges/", judges.show, name="judges"),
    path("campaigns/<slug:slug>/judges/live/", judges.live, name="judges_live"),
    path("campaigns/<slug:slug>/judges/<int:pk>.csv", judges.download, name="judges_csv"),
    path("campaigns/<slug:slug>/targets/", targets.show, name="targets"),
    path("campaigns/<slug:slug>/targets/<int:pk>/", targets.change, name="change_target"),
    path("campaigns/<slug:slug>/targets/<int:pk>.csv", targets.download, name="target_csv"),
    path("campaigns/<slug:slug>/watch/", watch.show, name="watch"),
    path("campaigns/<slug:slug>/watch/live/", watch.live, name="watch_live"),
    path("campaigns/<slug:slug>/watch/<int:pk>.csv", watch.download, name="watch_csv"),
    path("campaigns/<slug:slug>/snapshots/", snapshots.cut_snapshot, name="cut_snapshot"),
    path("campaigns/<slug:slug>/snapshots/count/", snapshots.count_snapshot, name="count_snapshot"),
    path("snapshots/", snapshots.snapshots, name="snapshots"),
    path("snapshots/<int:pk>/", snapshots.snapshot, name="snapshot"),
    path("snapshots/<int:first>/to/<int:second>/", snapshots.snapshot_difference, name="snapshot_difference"),
    path("snapshots/<int:pk>/train/", runs.start_run, name="start_run"),
    path("snapshots/<int:pk>/<slug:format>/", snapshots.download, name="download"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.run_live, name="run_live"),
    path("runs/<int:pk>/cancel/", runs.cancel_run, name="cancel_run"),
    path("runs/<int:pk>/retry/", runs.retry_run, name="retry_run"),
    path("models/<int:pk>/", models.model, name="model"),
    path("models/<int:pk>/card.md", models.model_card, name="model_card"),
]
