#!/bin/sh
# Makes .venv in the checkout and installs what a purpose needs; called by make, and does nothing the second time.
#
#   deploy/setup.sh run|dev|mutation
#
# PYTHON names the interpreter to use. Without it the first of python3.12, python3.11, python3.10 and python3 that can
# make a virtual environment is taken.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
log=$venv/setup.log

fail() {
    echo "takt setup: $*" >&2
    exit 1
}

# What an installation rests on: where the checkout lies, which import packages it has, what it depends on. A copy of
# this is the stamp, so that neither a touched file nor a missing network matters the second time.
basis() {
    pwd
    ls -d app models calibration ui deploy 2>/dev/null || true
    cat pyproject.toml
}

is_installed() {
    [ -x "$venv/bin/python" ] && basis | cmp -s - "$venv/.installed-$1"
}

in_range='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'

apt_install() {
    if ! command -v apt-get >/dev/null 2>&1; then
        return 1
    elif [ "$(id -u)" = 0 ]; then
        as_root=
    elif sudo -n true >/dev/null 2>&1; then
        as_root="sudo -n"
    else
        return 1
    fi
    echo "takt setup: installing system packages: $*"
    { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
        >/dev/null 2>&1
}

find_python() {
    without_venv=
    for python in ${PYTHON:-python3.12 python3.11 python3.10 python3}; do
        "$python" -c "$in_range" >/dev/null 2>&1 || continue
        "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 && return 0
        without_venv=${without_venv:-$python}
    done
    [ -n "$without_venv" ] || fail "no Python 3.10, 3.11 or 3.12 found${PYTHON:+ as $PYTHON}; install one, or name it: make PYTHON=/path/to/python3"
    python=$without_venv
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if apt_install "$package" && "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        return 0
    fi
    fail "$python cannot make virtual environments; run: sudo apt-get install $package"
}

make_venv() {
    if [ -f "$venv/.checkout" ] && [ "$(cat "$venv/.checkout")" != "$(pwd)" ]; then
        :   # the checkout was moved or copied: the scripts in there still point to the old place
    elif "$venv/bin/python" -c "$in_range; import pip" >/dev/null 2>&1; then
        return 0
    fi
    find_python
    problem=$("$python" -m venv --clear "$venv" 2>&1) || fail "$python cannot make $venv: $(echo "$problem" | tail -n 1)"
}

check_libraries() {
    problem=$("$venv/bin/python" -c 'import cv2' 2>&1) && return 0
    problem=$(echo "$problem" | tail -n 1)
    packages=$(sed 's/#.*//' deploy/apt-packages.txt | tr -s ' \n' ' ')
    case $problem in *"cannot open shared object file"*)
        # shellcheck disable=SC2086  # a list of words
        if apt_install $packages && "$venv/bin/python" -c 'import cv2' >/dev/null 2>&1; then
            return 0
        fi
        fail "OpenCV does not load ($problem); run: sudo apt-get install$packages, or install what brings that library"
    esac
    fail "OpenCV does not load: $problem"
}

# Whether a program, or with a slash a file that a pattern names, is on this machine.
is_here() {
    case $1 in
    */*)
        for file in $1; do [ -e "$file" ] && return 0; done
        return 1
        ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

add_test_packages() {
    missing=
    while read -r wanted package _; do
        case $wanted in "" | "#"*) continue ;; esac
        is_here "$wanted" || missing="$missing $package"
    done <deploy/test-packages.txt
    # The headers of this very Python; it brings them itself unless it is Debian's.
    headers=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    is_here "$headers/Python.h" || missing="$missing $("$venv/bin/python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')"
    # shellcheck disable=SC2086  # a list of words
    if [ -n "$missing" ] && ! apt_install $missing; then
        echo "takt setup: without$missing some tests are left out; to run them: sudo apt-get install$missing"
    fi
}

# The extra that has to be built here. A machine that cannot build it still runs every other test.
add_gige() {
    "$venv/bin/python" -c 'import gi' >/dev/null 2>&1 && return 0
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --retries 2 --no-compile -e ".[gige]" >>"$log" 2>&1 ||
        echo "takt setup: PyGObject cannot be built here ($log says why), so the tests of GigE Vision cameras are left out;" \
            "to run them: $venv/bin/pip install -e \".[gige]\""
}

case ${1:-} in
run) extras=openvino done_for="run" ;;
dev) extras=dev done_for="run dev" ;;
mutation) extras=dev,mutation done_for="run dev mutation" ;;
*) fail "usage: deploy/setup.sh run|dev|mutation" ;;
esac

is_installed "$1" && exit 0
make_venv
echo "takt setup: installing what \`$1\` needs into $venv; this happens once"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --retries 2 --no-compile -e ".[$extras]" >"$log" 2>&1 ||
    fail "pip could not install takt-inspect[$extras]: $(grep -E '^ERROR' "$log" | tail -n 1); all of it is in $log"
check_libraries
if [ "$1" != run ]; then
    add_test_packages
    add_gige
fi
pwd >"$venv/.checkout"
for purpose in $done_for; do
    basis >"$venv/.installed-$purpose"
done
