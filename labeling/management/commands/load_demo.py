"""manage.py load_demo"""

from typing import Any

from django.core.management.base import BaseCommand

from labeling import demo


class Command(BaseCommand):
    """Load the demo campaign and its people; a second call changes nothing."""

    help = "Load the demo campaign and its sign-ins (a second call changes nothing)."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign, created = demo.load()
        if created:
            self.stdout.write(
                f"Loaded the demo campaign “{campaign.name}” with {campaign.prompts.count()} prompts."
            )
        names = ", ".join(demo.PEOPLE)
        self.stdout.write(f"Demo sign-ins: {names} — password {demo.PASSWORD}")
