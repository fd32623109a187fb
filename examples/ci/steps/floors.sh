#!/bin/sh
# Every night: renew what falls due before the next night, and refill what fell below its floor. What [safety] refuses (9)
# and what stays unmet or waits for a person (3) fails the job, so that somebody looks.
set -eu
provisioner apply --input=false --no-color --lock-timeout=30m --auto-approve
