#!/usr/bin/env bash
# Upload a video, wait for its analysis, print its timeline in short, ask a question.
#
#   VISIONLLM_KEY=… deploy/examples/ask_video.sh play.mp4 "How long is the child visible?"
#
# VISIONLLM_URL   the service (default http://127.0.0.1:8000)
# VISIONLLM_KEY   an API key (leave it out for a service started with --insecure)
# VISIONLLM_VIEW  room (default) or ego
# Progress goes to stderr; stdout is the answer, one JSON object. Needs bash, curl and python3.
set -euo pipefail

url=${VISIONLLM_URL:-http://127.0.0.1:8000}
video=${1:?usage: ask_video.sh VIDEO QUESTION}
question=${2:?usage: ask_video.sh VIDEO QUESTION}

# The key goes through a file descriptor, not the command line, where other users of the machine could read it.
call() {
    curl --silent --show-error --fail-with-body \
        --header @<(printf 'Authorization: Bearer %s\n' "${VISIONLLM_KEY:-none}") "$@"
}
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

job=$(call --form view="${VISIONLLM_VIEW:-room}" --form "file=@$video" "$url/v1/videos")
job_id=$(field job_id <<<"$job")
video_id=$(field video_id <<<"$job")
echo "video $video_id, $job_id" >&2

status=queued
while [[ $status == queued || $status == running ]]; do
    sleep 1
    job=$(call "$url/v1/jobs/$job_id")
    status=$(field status <<<"$job")
done
if [[ $status != "done" ]]; then
    echo "the job is $status: $job" >&2
    exit 1
fi

call "$url/v1/videos/$video_id/timeline" | python3 -c '
import json, sys
timeline = json.load(sys.stdin)
counts = ", ".join(f"{len(timeline[part])} {part}" for part in ("tracks", "relations", "events"))
print("%.1f s: %s" % (timeline["duration_s"], counts), file=sys.stderr)
'

python3 -c 'import json, sys; print(json.dumps({"question": sys.argv[1]}))' "$question" |
    call --header 'Content-Type: application/json' --data-binary @- "$url/v1/ask"
echo
