#!/bin/sh
# What changed at the vendors behind our back; has no way to change anything. Fails (2) where something did.
set -eu
provisioner drift --no-color --detailed-exitcode
