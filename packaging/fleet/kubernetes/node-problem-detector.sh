#!/bin/sh
# A custom plugin of Node Problem Detector (docs/custom_plugin_monitor.md there): 0 is no problem, 1 a problem, 2 not known; of what it
# prints, 80 bytes are kept. A warning of kata-check is no problem of the node: only a proven mismatch is.
# KATA_CHECK is the program, KATA_CHECK_ROOT where the host's / is mounted.
line=$("${KATA_CHECK:-/usr/bin/kata-check}" --root "${KATA_CHECK_ROOT:-/}" --format nagios 2>&1)
case $? in
  0 | 1) status=0 ;;
  2) status=1 ;;
  *) status=2 ;;
esac
# The first line, without its performance data.
printf '%s\n' "$line" | sed -n '1s/ | .*//;1s/^KATA [A-Z]* - //;1p' | LC_ALL=C tr -cd '[:print:]' | head -c 80
exit "$status"
