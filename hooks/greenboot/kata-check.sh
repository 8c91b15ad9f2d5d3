#!/bin/sh
# A health check for greenboot, on rpm-ostree and bootc systems. It is off until it is put where greenboot looks:
#
#   required.d, to go back to the deployment before when the guest images do not fit the runtime any more:
#     install -D /usr/share/kata-check/greenboot/kata-check.sh /etc/greenboot/check/required.d/50_kata-check.sh
#   wanted.d, to be told only:
#     install -D /usr/share/kata-check/greenboot/kata-check.sh /etc/greenboot/check/wanted.d/50_kata-check.sh
#
# Only status 10 and 11 (a mismatch, or not to be determined where the policy blocks on that) are a failure; when kata-check is gone, or
# fails itself, the system is not to blame. Source: greenboot's README, "Health checks with bash scripts".
[ -x /usr/bin/kata-check ] || exit 0
/usr/bin/timeout -k 5 60 /usr/bin/kata-check --color never
status=$?
case $status in 10|11) exit "$status";; esac
exit 0
