#!/bin/sh
# Serves a bundle in an environment of its own: the Dockerfile's steps, where there are no containers.
#
#     scripts/serve_bundle.sh BUNDLE [OPTIONS OF tagrec serve]
#
# With a bundle made with `bundle.runtime: onnx` the environment has no torch. It is made by $PYTHON (python3) in
# $ENVIRONMENT (.venv-bundle in the checkout), once for each list of packages.
set -eu

bundle=${1:?"the bundle is missing: scripts/serve_bundle.sh BUNDLE [OPTIONS OF tagrec serve]"}
shift
checkout=$(cd "$(dirname "$0")/.." && pwd)
environment=${ENVIRONMENT:-"$checkout/.venv-bundle"}

# Pins alone: an option or an address could have pip run what it finds there.
if grep --extended-regexp --invert-match '^[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+$' "$bundle/requirements.txt"; then
    echo "Error: $bundle/requirements.txt has lines, shown above, that are no package with its version." >&2
    exit 1
fi
if ! cmp -s "$bundle/requirements.txt" "$environment/requirements.txt"; then
    # An older environment is emptied, but no folder that is none.
    [ ! -e "$environment/pyvenv.cfg" ] || clear=--clear
    "${PYTHON:-python3}" -m venv ${clear:-} "$environment"
    "$environment/bin/python" -m pip install --quiet --requirement "$bundle/requirements.txt"
    cp "$bundle/requirements.txt" "$environment/requirements.txt"
fi
exec "$environment/bin/python" "$checkout/tagrec.py" serve --bundle "$bundle" "$@"
