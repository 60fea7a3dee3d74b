#!/usr/bin/env bash
# Ray 2.60.0: a node ends when its agents need more than 15 s to start. No setting makes it wait, and given ports do not help.
#
# The agents write the ports that they chose into files, for which the node waits 15 s. RAY_agent_register_timeout_ms does
# not change that, nor does `--include-dashboard=false` do away with the agents. Ports that are given are not waited for,
# but for one: that of --dashboard-agent-listen-port is, although it is known. `ray start` says half a minute later that the
# node "timed out during startup"; what happened is in raylet.err. All that helps on a busy machine is another try.
#
# The agents are made slow as a busy machine or a network disk makes them: Python starts 20 s later in them.
# Output seen: chosen ports: ended, no metrics_agent_port | given ports: ended, no dashboard_agent_listen_port
#
# Installs the package into a temporary folder; takes two minutes; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d /tmp/ray-XXXX) # the path of a socket has at most 107 characters
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check 'ray[default]==2.60.0'
site=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
cat >"$site/slow.py" <<'PYTHON'
import pathlib
import time

command = pathlib.Path("/proc/self/cmdline").read_bytes()
if b"dashboard/agent.py" in command or b"runtime_env/agent/main.py" in command:
    time.sleep(20)
PYTHON
echo "import slow" >"$site/slow.pth"

export RAY_USAGE_STATS_ENABLED=0 RAY_agent_register_timeout_ms=120000
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
start() { # a session of its own: `ray stop` would end the nodes of others too
  setsid timeout 120 "$folder/venv/bin/ray" start --head --block --num-cpus 1 --include-dashboard=false \
    --node-ip-address 127.0.0.1 --port "$(free)" --temp-dir "$folder/$1" "${@:2}" >"$folder/$1.log" 2>&1 &
  local process=$! status=ended
  wait "$process" || true
  grep -q "timed out during startup" "$folder/$1.log" || status=started
  kill -KILL -- "-$process" 2>/dev/null || true
  echo "$status, no $(grep -rhos 'waiting for file [^ ]*' "$folder/$1" | head -1 | sed 's#.*/##; s#_[0-9a-f]*$##')"
}
chosen=$(start chosen)
given=$(start given --dashboard-agent-grpc-port "$(free)" --dashboard-agent-listen-port "$(free)" \
  --metrics-export-port "$(free)" --runtime-env-agent-port "$(free)")
echo "chosen ports: $chosen | given ports: $given"
[ "$chosen" = "ended, no metrics_agent_port" ] && [ "$given" = "ended, no dashboard_agent_listen_port" ]
