"""`manage.py doctor`: is every part well, and if not, what is to be done?"""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from studio.doctor import Finding, Status, examine_all

SIGNS = {Status.OK: "ok   ", Status.WARN: "warn ", Status.FAIL: "FAIL "}


class Command(BaseCommand):
    help = "Examine every part of the installation; says what is wrong and how to mend it. Exit code 1: something is."
    requires_system_checks = []  # they are among what is said

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object: status, findings")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in examine_all():
            findings.append(finding)
            if not options["json"]:
                self._say(finding)
        worst = _worst(findings)
        if options["json"]:
            found = {"status": worst.value, "findings": [one.as_json() for one in findings]}
            self.stdout.write(json.dumps(found, indent=1))
        else:
            self.stdout.write(_summary(findings))
        if worst == Status.FAIL:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        self.stdout.write(f"{SIGNS[finding.status]}{finding.about}: {finding.message}")
        if finding.status != Status.OK and finding.mend:
            self.stdout.write("".join(f"       {line}\n" for line in finding.mend.splitlines()), ending="")
        self.stdout.flush()


def _worst(findings: list[Finding]) -> Status:
    found = {one.status for one in findings}
    return next((status for status in (Status.FAIL, Status.WARN) if status in found), Status.OK)


def _summary(findings: list[Finding]) -> str:
    failed, warned = (sum(one.status == status for one in findings) for status in (Status.FAIL, Status.WARN))
    return f"{failed} wrong, {warned} to look at." if failed or warned else "Everything is well."
