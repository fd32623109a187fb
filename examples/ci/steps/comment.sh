#!/bin/sh
# Put plan.md under the pull request PR, in the place of what an earlier run wrote there.
set -eu
[ -s plan.md ] || { echo "there is no plan.md: the plan step did not get that far" >&2; exit 1; }
gh pr comment "${PR:?the number of the pull request}" --edit-last --create-if-none --body-file plan.md
