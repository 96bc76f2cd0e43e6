# Sourced by each finding: a temporary folder, pinned packages in it, and a comparison of what is seen with what was seen.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# packages NAME==VERSION...: a venv with them, and its programs first on the PATH.
packages() {
    python3 -m venv venv
    venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
    export PATH="$folder/venv/bin:$PATH" PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1
    echo "versions: Python $(python -c 'import platform; print(platform.python_version())') $*"
}

# program NAME: a program of the system's packages, which this script does not install by itself.
program() {
    command -v "$1" >/dev/null || { echo "this finding needs $1: apt-get install $1" >&2; exit 2; }
}

# seen COMMAND...: run it, show what it prints, and fail unless that is what stands on standard input.
seen() {
    cat >expected
    "$@" | tee printed
    diff expected printed >difference && echo "as seen before" && return
    echo "CHANGED:" && cat difference && return 1
}
