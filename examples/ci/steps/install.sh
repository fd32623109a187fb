#!/bin/sh
# Install provisioner: PROVISIONER_PACKAGE is a wheel, a folder or whatever else pip takes.
set -eu
python3 -m pip install --quiet "${PROVISIONER_PACKAGE:?set it to a wheel or a folder of provisioner}"
provisioner version
