"""Roles of memberships, and the trigger that keeps them beside each person."""

from django.db import migrations, models

# One key of one row at a time, so that two campaigns may give somebody a role at once.
FUNCTION = """
CREATE FUNCTION touchstone_keep_campaign_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.role <> 'rater' THEN
        UPDATE accounts_user SET campaign_roles = campaign_roles - campaign.slug::text
        FROM labeling_campaign campaign WHERE campaign.id = OLD.campaign_id AND accounts_user.id = OLD.user_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.role <> 'rater' THEN
        UPDATE accounts_user SET
            campaign_roles = campaign_roles || jsonb_build_object(campaign.slug, NEW.role)
        FROM labeling_campaign campaign WHERE campaign.id = NEW.campaign_id AND accounts_user.id = NEW.user_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER labeling_membership_role AFTER INSERT OR DELETE OR UPDATE OF role, campaign_id, user_id
    ON labeling_membership FOR EACH ROW EXECUTE FUNCTION touchstone_keep_campaign_role();
"""
UNDO = """
DROP TRIGGER labeling_membership_role ON labeling_membership;
DROP FUNCTION touchstone_keep_campaign_role();
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0013_mapped_imports"), ("accounts", "0003_access")]

    operations = [
        migrations.AddField(
            "membership",
            "role",
            models.CharField(
                choices=[("rater", "Rater"), ("manager", "Manager"), ("researcher", "Researcher")],
                default="rater",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            "membership",
            models.CheckConstraint(
                condition=models.Q(role__in=["rater", "manager", "researcher"]), name="membership_role_known"
            ),
        ),
        migrations.RunSQL(FUNCTION, UNDO),
    ]
