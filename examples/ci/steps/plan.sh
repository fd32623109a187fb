#!/bin/sh
# Plan, and leave for whoever reviews: plan.bin (to apply), plan.json (for policies), plan.md (for people) and
# gitlab-plan.json. Needs no private key. Ends with 0 whether there are changes or not; what is refused for safety (9) and
# every error ends with its own code, after plan.md says why.
set -eu
code=0
provisioner plan --input=false --no-color --lock-timeout=5m --detailed-exitcode --out=plan.bin \
  --markdown=plan.md --gitlab-report=gitlab-plan.json "$@" || code=$?
case $code in
  0) changes=false ;;
  2) changes=true ;;
  *) exit "$code" ;;
esac
provisioner show --json plan.bin > plan.json
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  echo "changes=$changes" >> "$GITHUB_OUTPUT"
fi
echo "changes: $changes"
