"""Addresses of the manager's pages about campaigns; training adds the overview of one."""

from django.urls import path

from labeling.views import adjudicating, examples, figures, gaps, imports, manage, reopening, review

urlpatterns = [
    path("", manage.campaigns, name="campaigns"),
    path("new/", manage.new_campaign, name="new_campaign"),
    path("<slug:slug>/settings/", manage.campaign_settings, name="campaign_settings"),
    path("<slug:slug>/criteria/", manage.criteria, name="criteria"),
    path("<slug:slug>/criteria/<slug:key>/remove/", manage.remove_criterion, name="remove_criterion"),
    path("<slug:slug>/status/", manage.set_status, name="set_status"),
    path("<slug:slug>/loop/", manage.set_loop, name="set_loop"),
    path("<slug:slug>/guideline/", manage.guideline, name="guideline"),
    path("<slug:slug>/raters/", manage.raters, name="campaign_raters"),
    path("<slug:slug>/raters/<int:pk>/remove/", manage.remove_rater, name="remove_rater"),
    path("<slug:slug>/raters/<int:pk>/qualify/", examples.qualify, name="qualify_rater"),
    path("<slug:slug>/examples/", examples.list_, name="examples"),
    path("<slug:slug>/examples/import/", examples.import_, name="import_examples"),
    path("<slug:slug>/examples/<int:pk>/", examples.change, name="example"),
    path("<slug:slug>/examples/<int:pk>/retire/", examples.retire, name="retire_example"),
    path("<slug:slug>/figures/", figures.show, name="figures"),
    path("<slug:slug>/figures/measure/", figures.measure, name="measure_figures"),
    path("<slug:slug>/review/", review.review, name="review"),
    path("<slug:slug>/disputes/", adjudicating.queue, name="adjudications"),
    path("<slug:slug>/disputes/<int:pk>/", adjudicating.one, name="adjudication"),
    path("<slug:slug>/disputes/<int:pk>/decide/", adjudicating.decide, name="decide"),
    path("<slug:slug>/disputes/<int:pk>/release/", adjudicating.release, name="release_dispute"),
    path("<slug:slug>/disputes/<int:pk>/sort/", adjudicating.sort, name="sort_dispute"),
    path("<slug:slug>/gaps/", gaps.list_, name="gaps"),
    path("<slug:slug>/gaps/<int:pk>/example/", gaps.make_example, name="gap_example"),
    path("<slug:slug>/gaps/<int:pk>/dismiss/", gaps.dismiss, name="dismiss_gap"),
    path("<slug:slug>/raters/<int:pk>/reopen/", reopening.reopen, name="reopen_rater"),
    path("<slug:slug>/import/", imports.import_, name="import"),
    path("<slug:slug>/imports/<int:pk>/", imports.one, name="one_import"),
    path("<slug:slug>/imports/<int:pk>/progress/", imports.progress, name="import_progress"),
    path("<slug:slug>/imports/<int:pk>/keep/", imports.keep, name="keep_import"),
    path("<slug:slug>/imports/<int:pk>/cancel/", imports.cancel, name="cancel_import"),
    path("<slug:slug>/rounds/start/", manage.start_round, name="start_round"),
    path("<slug:slug>/rounds/<int:number>/end/", manage.end_round, name="end_round"),
]
