#!/bin/sh
# Runs scim2-tester (through scim2-cli) against a release build of stagedoor.
#
#   conformance/scim2-tester.sh PROGRAM [VENV]
#
# PROGRAM is the built stagedoor; VENV a Python environment, made where it does not exist
# (target/scim2-tester by default). The server gets a new database and one custom extension.
# Exits 0 only where every check is a success: an error, a deviation or a skip fails the run.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
program=$(cd "$(dirname "${1:?usage: scim2-tester.sh PROGRAM [VENV]}")" && pwd)/$(basename "$1")
venv=${2:-$here/../target/scim2-tester}

if ! "$venv/bin/scim2" --help >/dev/null 2>&1; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
fi

work=$(mktemp -d)
server=
cleanup() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

cd "$work"
database=sqlite://$work/stagedoor.db
"$program" company create acme --name Acme --plan enterprise --scim --database-url "$database" >/dev/null
for schema in "$here"/schemas/*.json; do
    "$program" schema add acme "$schema" --database-url "$database" >/dev/null
done
token=$("$program" token create acme --name scim2-tester --database-url "$database")

# The server prints one line with its address once it accepts connections: the pipe is the wait.
mkfifo "$work/ready"
"$program" serve --listen 127.0.0.1:0 --database-url "$database" >"$work/ready" 2>"$work/log" &
server=$!
exec 3<"$work/ready"
address=
while [ -z "$address" ] && read -r line <&3; do
    address=$(printf '%s\n' "$line" | sed -n 's|.*\(http://[0-9.]*:[0-9]*\).*|\1|p')
done
if [ -z "$address" ]; then
    echo "the server did not start:" >&2
    cat "$work/log" >&2
    exit 1
fi
# Whatever else it prints must not fill the pipe.
cat <&3 >/dev/null &

status=0
SCIM_CLI_HEADERS="Authorization: Bearer $token" \
    "$venv/bin/scim2" --url "$address/scim/v2" test >"$work/report" 2>&1 || status=$?
# What is not a success, with its reason; a reason may have several lines.
awk '/^[A-Z]+ [a-z_]+$/ { shown = !/^SUCCESS / } shown' "$work/report"
for word in SUCCESS COMPLIANT ACCEPTABLE DEVIATION ERROR CRITICAL SKIPPED; do
    echo "$word $(grep -c "^$word " "$work/report" || true)"
done
if ! grep -q '^SUCCESS ' "$work/report"; then
    echo "no check ran" >&2
    exit 1
fi
if [ "$status" -ne 0 ] || grep -qE '^(ERROR|CRITICAL|SKIPPED) ' "$work/report"; then
    echo "scim2-tester found faults" >&2
    exit 1
fi
