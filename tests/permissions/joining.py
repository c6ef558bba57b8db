"""Who may do what: invitations and pools, a rater's work, the ways in, sessions and second factors."""

from typing import Any

from accounts.models import Pool
from labeling import invitations, pools
from labeling.models import Feedback
from tests.permissions.columns import (
    ADMINISTER,
    ADMINISTER_CHANGE,
    API_ADMINISTER,
    API_ADMINISTER_CREATE,
    API_CREATE,
    API_LOOK,
    API_MANAGE,
    API_OWN,
    CHANGE,
    LOGIN,
    MANAGE,
    OWN,
    Row,
    Table,
)
from tests.permissions.world import World

ENDED: Row = (401, 403, 403, 403, 204)
ADMINISTER_ENDED: Row = (401, 403, 403, 403, 204, 403, 403, 403)
GO: Row = (LOGIN, 302, 302, 302, 302, 302, 302, 302)
GO_ON: Row = (302,) * 8
GONE: Row = (401, 404, 404, 404, 404, 404, 404, 404)  # there is no such session
MISSING: Row = (404,) * 8  # no provider is set up
SIGN_IN: Row = (200, 302, 302, 302, 302, 302, 302, 302)

TABLE: Table = {
    # the ways in
    "account_login": {"GET": SIGN_IN, "POST": SIGN_IN},
    "mfa_authenticate": {"GET": GO_ON, "POST": GO_ON},  # nobody is half signed in
    "account_reauthenticate": {"GET": OWN, "POST": OWN},  # a wrong password is told so
    "mfa_reauthenticate": {"GET": GO, "POST": GO},  # nobody has a factor: on to the password
    "mfa_reauthenticate_webauthn": {"GET": GO, "POST": GO},
    "mfa_login_webauthn": {"GET": GO_ON, "POST": GO_ON},  # without a passkey: back to the sign-in page
    "openid_connect_login": {"GET": MISSING, "POST": MISSING},
    "openid_connect_callback": {"GET": MISSING, "POST": MISSING},
    "mfa_index": {"GET": OWN},
    "mfa_activate_totp": {"GET": GO, "POST": GO},  # the password first
    "mfa_deactivate_totp": {"GET": (LOGIN, *(404,) * 7), "POST": (LOGIN, *(404,) * 7)},  # there is none
    "mfa_add_webauthn": {"GET": GO, "POST": GO},
    "mfa_edit_webauthn": {"GET": GO, "POST": GO},
    "mfa_remove_webauthn": {"GET": GO, "POST": GO},
    "mfa_view_recovery_codes": {"GET": (LOGIN, *(404,) * 7)},
    "mfa_generate_recovery_codes": {"GET": GO, "POST": GO},
    "sessions": {"GET": OWN},
    "end_sessions": {"POST": GO},
    "api_sessions": {"GET": API_OWN, "DELETE": API_OWN},
    "api_session": {"DELETE": GONE},
    "sign_out_person": {"POST": ADMINISTER_CHANGE},
    "remove_factor": {"POST": ADMINISTER_CHANGE},
    "api_sign_out_person": {"POST": ADMINISTER_ENDED},
    "api_remove_factor": {"POST": ADMINISTER_ENDED},
    "api_set_active": {"POST": API_ADMINISTER},
    # invitations: the link is into the campaign
    "join": {"GET": (200,) * 8, "POST": (400, *(302,) * 7)},
    "api_join": {"POST": API_OWN},
    "invitations": {"GET": ADMINISTER, "POST": ADMINISTER},
    "revoke_invitation": {"POST": ADMINISTER_CHANGE},
    "api_invitations": {"GET": API_ADMINISTER, "POST": API_ADMINISTER_CREATE},
    "api_invitation_list": {"POST": API_ADMINISTER_CREATE},
    "api_invitation": {"DELETE": ADMINISTER_ENDED},
    "campaign_invitations": {"GET": MANAGE, "POST": MANAGE},
    "revoke_campaign_invitation": {"POST": CHANGE},
    "api_campaign_invitations": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_campaign_invitation_list": {"POST": API_CREATE},
    "api_campaign_invitation": {"DELETE": ENDED},
    # pools
    "pools": {"GET": ADMINISTER, "POST": ADMINISTER_CHANGE},
    "pool": {"GET": ADMINISTER, "POST": ADMINISTER_CHANGE},
    "delete_pool": {"POST": ADMINISTER_CHANGE},
    "leave_pool": {"POST": ADMINISTER_CHANGE},
    "api_pools": {"GET": API_ADMINISTER, "POST": API_ADMINISTER_CREATE},
    "api_pool": {"DELETE": ADMINISTER_ENDED},
    "api_pool_members": {"GET": API_ADMINISTER, "POST": API_ADMINISTER},
    "api_pool_member": {"DELETE": ADMINISTER_ENDED},
    "use_pool": {"POST": CHANGE},
    "drop_pool": {"POST": CHANGE},
    # a campaign's own manager may take none: pools are for who administers people
    "api_campaign_pools": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 200, 400, 403, 404)},
    "api_campaign_pool": {"DELETE": ENDED},
    # a rater's work
    "message_raters": {"POST": CHANGE},
    "message_rater": {"POST": CHANGE},
    "pause_rater": {"POST": CHANGE},
    "release_rater": {"POST": CHANGE},
    "rater_skills": {"POST": CHANGE},
    "api_message_raters": {"POST": API_MANAGE},
    "api_message_rater": {"POST": API_MANAGE},
    "api_pause_rater": {"POST": API_MANAGE},
    "api_release_rater": {"POST": API_MANAGE},
    "api_rater_skills": {"PUT": API_MANAGE},
    "read_word": {"POST": GO},
    "api_read_word": {"POST": (401, *(204,) * 7)},
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    here, w.link = invitations.offer(w.manager, campaign=w.campaign, uses=9)
    everywhere, _token = invitations.offer(w.manager)
    pool = pools.create("Night shift", w.manager)
    pools.join(pool, [w.member], w.manager)
    pools.use(w.campaign, pool, w.manager)
    word = Feedback.objects.create(campaign=w.campaign, rater=w.member, reviewer=w.manager, text="Hello")
    of_link, of_pool = {**w.in_campaign, "pk": here.pk}, {**w.in_campaign, "pk": pool.pk}
    rater, named = {**w.in_campaign, "pk": w.member.pk}, {**w.in_campaign, "username": w.member.username}
    pages = ["message_rater", "pause_rater", "release_rater", "rater_skills"]
    return {
        **dict.fromkeys(pages, rater),
        **{f"api_{name}": named for name in pages},
        "openid_connect_login": {"provider_id": "sso"},
        "openid_connect_callback": {"provider_id": "sso"},
        **{name: {"pk": 0} for name in ("mfa_edit_webauthn", "mfa_remove_webauthn")},
        "api_session": {"name": "none"},
        **{name: {"pk": w.outsider.pk} for name in ("sign_out_person", "remove_factor")},
        **{name: {"pk": w.outsider.pk} for name in ("api_sign_out_person", "api_remove_factor")},
        "api_set_active": {"pk": w.outsider.pk},
        "join": {"token": w.link},
        "revoke_invitation": {"pk": everywhere.pk},
        "api_invitation": {"pk": everywhere.pk},
        "revoke_campaign_invitation": of_link,
        "api_campaign_invitation": of_link,
        **{name: {"pk": pool.pk} for name in ("pool", "delete_pool", "api_pool", "api_pool_members")},
        "leave_pool": {"pk": pool.pk, "user": w.member.pk},
        "api_pool_member": {"pk": pool.pk, "username": w.member.username},
        "drop_pool": of_pool,
        "api_campaign_pool": of_pool,
        "read_word": {"pk": word.pk},
        "api_read_word": {"pk": word.pk},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    link = {"make": "link", "link-role": "rater", "link-uses": 1, "link-days": 3}
    people = {"people": "Rosa, rosa@example.org"}
    text, pool = {"text": "Look at the units."}, {"pool": Pool.objects.get(name="Night shift").pk}
    return {
        "api_join": {"token": w.link},
        "invitations": link,
        "campaign_invitations": link,
        "api_invitation_list": people,
        "api_campaign_invitation_list": people,
        "pools": {"name": "Day shift"},
        "api_pools": {"name": "Day shift"},
        "pool": {"usernames": w.outsider.username},
        "api_pool_members": {"usernames": [w.outsider.username]},
        "use_pool": pool,
        "api_campaign_pools": pool,
        "api_set_active": {"active": True},
        **dict.fromkeys(("message_raters", "message_rater"), text),
        **{f"api_{name}": text for name in ("message_raters", "message_rater")},
        "pause_rater": {"paused": "yes"},
        "api_pause_rater": {"paused": True},
        "api_rater_skills": {"skills": []},
    }
