# Sourced by the scripts that make an environment.

# find_python: the interpreter: $PYTHON, or the first one that is new enough.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "$0: no Python 3.11 or newer with venv found; name one: PYTHON=/path/to/python3 $0" >&2
    return 1
}
