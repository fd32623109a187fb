"""GitLab's report for merge requests: what a plan would create, update and delete (`artifacts:reports:terraform`)."""

from __future__ import annotations

from provisioner.model.plan import Plan


def gitlab_report(plan: Plan) -> dict[str, int]:
    """The three counts that GitLab's merge request widget reads; a replacement counts as one of each, as in Terraform.

    Source: GitLab's documentation of `artifacts:reports:terraform`."""
    counts = plan.counts()
    return {"create": counts["add"], "update": counts["change"], "delete": counts["destroy"]}
