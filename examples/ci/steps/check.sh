#!/bin/sh
# What needs no network, no state and no secret: layout and contents of the file.
set -eu
provisioner fmt --check --diff
provisioner validate
