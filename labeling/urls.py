"""The rater's addresses."""

from django.urls import path

from labeling.views import chat, editing, home, onboarding, ranking, rate

urlpatterns = [
    path("", home.home, name="home"),
    path("history/", home.past, name="history"),
    path("history/undo/", home.take_back, name="history-undo"),
    path("feedback/", home.feedback, name="feedback"),
    path("rate/<slug:slug>/", rate.rate, name="rate"),
    path("rate/<slug:slug>/guideline/", rate.guideline, name="rate-guideline"),
    path("rate/<slug:slug>/why/", rate.why, name="rate-why"),
    path("rate/<slug:slug>/judge/", rate.judge, name="rate-judge"),
    path("rate/<slug:slug>/rank/", ranking.rank, name="rate-rank"),
    path("rate/<slug:slug>/edit/", rate.edit, name="rate-edit"),
    path("rate/<slug:slug>/preview/", editing.preview, name="rate-preview"),
    path("rate/<slug:slug>/chat/", chat.talk, name="rate-chat"),
    path("rate/<slug:slug>/chat/turn/", chat.turn, name="rate-chat-turn"),
    path("rate/<slug:slug>/chat/say/", chat.say, name="rate-chat-say"),
    path("rate/<slug:slug>/chat/pick/", chat.pick, name="rate-chat-pick"),
    path("rate/<slug:slug>/chat/retry/", chat.retry, name="rate-chat-retry"),
    path("rate/<slug:slug>/chat/end/", chat.end, name="rate-chat-end"),
    path("rate/<slug:slug>/skip/", rate.skip, name="rate-skip"),
    path("rate/<slug:slug>/undo/", rate.undo, name="rate-undo"),
    path("rate/<slug:slug>/draft/", rate.draft, name="rate-draft"),
    path("rate/<slug:slug>/heartbeat/", rate.heartbeat, name="rate-heartbeat"),
    path("rate/<slug:slug>/start/", onboarding.start, name="onboarding"),
    path("rate/<slug:slug>/start/guideline/", onboarding.confirm, name="onboarding-guideline"),
    path("rate/<slug:slug>/start/practice/<int:number>/", onboarding.practice, name="onboarding-practice"),
    path("rate/<slug:slug>/start/test/", onboarding.test, name="onboarding-test"),
]
