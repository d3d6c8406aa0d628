#!/bin/sh
# The double's agraph-control: `--config FILE start` and `stop`, in the background and with a log as the vendor's.
set -eu
[ "$1" = --config ]
directive() { sed -n "s/^ *$1 \{1,\}//p" "$2" | head -n 1; }
log="$(directive LogDir "$2")/agraph.log"
pid_file="$(directive PidFile "$2")"
case "$3" in
  start)
    node /opt/agraph-double/agraph.mjs --config "$2" >> "$log" 2>&1 &
    echo $! > "$pid_file"
    ;;
  stop)
    kill "$(cat "$pid_file")"
    ;;
esac
