# For conftest, or any engine that reads Rego:
#   provisioner show --json plan.bin > plan.json && conftest test plan.json --policy examples/policies/rego
package main

import rego.v1

deny contains msg if {
	some change in input.resource_changes
	change.change.after.purchase > 1000
	msg := sprintf("%s %s would buy %v, more than 1000", [change.type, change.name, change.change.after.purchase])
}

deny contains msg if {
	some change in input.resource_changes
	change.type == "token"
	"groups" in change.change.after.scopes
	msg := sprintf("%s %s may write groups", [change.type, change.name])
}

# A rotation is ["create", "delete"]: the new token first. A delete alone ends something.
deny contains msg if {
	some change in input.resource_changes
	change.change.actions == ["delete"]
	not change.deposed
	msg := sprintf("%s %s would be destroyed", [change.type, change.name])
}

# Floors that stay unmet, and the guards of [safety] and prevent_destroy.
deny contains msg if {
	some check in input.checks
	check.status == "fail"
	msg := sprintf("%s fails", [check.address.to_display])
}
